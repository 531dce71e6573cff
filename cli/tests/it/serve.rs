//! `bettong serve`, `bettong metrics`: a database is shown as it lies there, and a running process by what it serves.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use crate::tool::{Place, arg, command, run};

/// `bettong serve` while it runs.
pub(crate) struct Served(Child, pub(crate) String);

impl Served {
    pub(crate) fn start(place: &Place) -> Served {
        let mut command = command();
        command.args(["serve", arg(&place.db()), "--listen", "127.0.0.1:0"]);
        Served::wait(command)
    }

    fn wait(mut command: Command) -> Served {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.trim_end().strip_suffix("/dashboard").unwrap().to_owned();
        Served(child, url)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// Every file with its bytes and the time of its last change.
pub(crate) fn image(place: &Place) -> Vec<(String, std::time::SystemTime, Vec<u8>)> {
    let mut image: Vec<_> = fs::read_dir(place.db())
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            (name, entry.metadata().unwrap().modified().unwrap(), fs::read(entry.path()).unwrap())
        })
        .collect();
    image.sort();
    image
}

#[test]
fn a_database_that_nobody_has_open_is_served_and_left_as_it_is() {
    let place = Place::new();
    place.run(&["set", "k", "v"]).expect(0);
    let before = image(&place);
    let served = Served::start(&place);
    let text = run(["metrics", &served.1]).expect(0);
    assert!(text.text().contains("\ndb_entries{db="), "{text:?}");
    assert!(text.text().contains("\ndb_read_only{db="), "{text:?}");
    assert!(run(["metrics", &served.1, "--format", "openmetrics"]).expect(0).text().ends_with("# EOF\n"));
    assert_eq!(run(["metrics", &served.1, "--format", "json"]).expect(0).json()["schema_version"], 1);
    let health = run(["health", &served.1, "--json"]);
    let storage = &health.json()["checks"]["storage"];
    assert_eq!(storage["message"], "Database is responsive, and open for reading only", "{health:?}");
    // Others may look, too; nobody may write.
    assert_eq!(place.run(&["get", "k"]).expect(0).text(), "v\n");
    let refused = place.run(&["set", "k", "w"]).expect(5);
    assert!(refused.stderr.contains(&served.0.id().to_string()), "{refused:?}");
    drop(served);
    assert!(image(&place) == before, "the directory is not as it was");
    place.run(&["set", "k", "w"]).expect(0);
}

#[test]
fn a_directory_says_the_same_without_a_server() {
    let place = Place::new();
    place.run(&["set", "k", "v"]).expect(0);
    let before = image(&place);
    let dir = place.db();
    for (format, end) in [("prom", "\n"), ("openmetrics", "# EOF\n"), ("json", "}\n")] {
        let shown = run(["metrics", arg(&dir), "--format", format]).expect(0);
        assert!(shown.text().contains("db_entries") && shown.text().ends_with(end), "{shown:?}");
    }
    for command in ["stats", "verify", "count", "scan"] {
        place.run(&[command]).expect(0);
    }
    assert!(image(&place) == before, "the directory is not as it was");
}

#[test]
fn a_process_that_has_the_database_open_is_named() {
    let place = Place::new();
    place.run(&["set", "k", "v"]).expect(0);
    let db = held(&place);
    let refused = run(["serve", arg(&place.db())]).expect(5);
    assert!(refused.stderr.contains(&std::process::id().to_string()), "{refused:?}");
    assert!(refused.stderr.contains("serves its metrics itself"), "{refused:?}");
    run(["metrics", arg(&place.db())]).expect(5);
    drop(db);
}

/// The lock of the database, taken by this process.
fn held(place: &Place) -> fs::File {
    let lock = fs::File::options().read(true).write(true).open(place.db().join("LOCK")).unwrap();
    lock.try_lock().unwrap();
    lock
}

#[test]
fn a_server_that_wants_a_token_gets_it_from_a_file() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = Place::new();
    place.run(&["set", "k", "v"]).expect(0);
    let token = place.path("token");
    fs::write(&token, "open sesame\n").unwrap();
    fs::set_permissions(&token, fs::Permissions::from_mode(0o600)).unwrap();
    let token = token.to_str().unwrap();
    let mut command = command();
    command
        .args(["serve", arg(&place.db()), "--listen", "127.0.0.1:0"])
        .env("BETTONG_METRICS_BEARER_TOKEN_FILE", token);
    let served = Served::wait(command);
    let refused = run(["metrics", &served.1]).expect(1);
    assert!(refused.stderr.contains("--token-file"), "{refused:?}");
    assert!(run(["metrics", &served.1, "--token-file", token]).expect(0).text().contains("db_entries"));
    let health = run(["health", &served.1, "--token-file", token, "--json"]);
    assert!(health.json()["checks"]["storage"].is_object(), "{health:?}");
    run(["metrics", &served.1, "--token-file", "/does/not/exist"]).expect(3);
}

#[test]
fn what_is_no_database_and_no_exporter_is_said_so() {
    run(["serve", "/does/not/exist"]).expect(3);
    run(["metrics", "/does/not/exist"]).expect(3);
    run(["metrics", "https://127.0.0.1:1/"]).expect(2);
    run(["metrics", "http://127.0.0.1:1/"]).expect(3);
    let place = Place::new();
    fs::create_dir_all(place.db()).unwrap();
    run(["serve", arg(&place.db())]).expect(3);
    assert_eq!(fs::read_dir(place.db()).unwrap().count(), 0);
}
