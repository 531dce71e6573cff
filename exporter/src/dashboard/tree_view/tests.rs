use super::*;
use bettong_metrics::{Counter, Gauge, OptionState, PublishedState, Registry, TableState};

const HOSTILE: &str = "</script><!--<script>alert(1)</script>&\u{2028}";

fn table(number: u64) -> TableState {
    let smallest_key_prefix = TableState::key_prefix(HOSTILE.as_bytes());
    TableState { number, bytes: 4_096, entries: 40, smallest_key_prefix, ..TableState::default() }
}

fn registry(numbers: &[u64]) -> std::sync::Arc<Registry> {
    let registry = Registry::new(HOSTILE);
    registry.publish(PublishedState {
        levels: vec![
            LevelState { level: 0, tables: numbers.iter().map(|number| table(*number)).collect() },
            LevelState { level: 1, tables: Vec::new() },
        ],
        options: vec![OptionState {
            name: HOSTILE.to_owned(),
            value: HOSTILE.to_owned(),
            default: HOSTILE.to_owned(),
        }],
        ..PublishedState::default()
    });
    registry
}

fn change(number: u64, added: &[(u32, u64)], removed: &[(u32, u64)]) -> TreeChange {
    let tables = |list: &[(u32, u64)]| list.iter().map(|(level, number)| (*level, table(*number))).collect();
    TreeChange { number, added: tables(added), removed: tables(removed) }
}

/// What the script of a page reads.
fn data(page: &str) -> Value {
    let (_, rest) = page.split_once("id=\"data\">").unwrap();
    serde_json::from_str(rest.split_once("</script>").unwrap().0).unwrap()
}

fn numbers(levels: &Value, level: usize) -> Vec<u64> {
    let tables = levels[level]["tables"].as_array().unwrap();
    tables.iter().map(|table| table["number"].as_u64().unwrap()).collect()
}

#[test]
fn what_others_wrote_stays_data() {
    let page = TreeView::of(&registry(&[1]).snapshot(), &[], 1..=u64::MAX).html();
    let data = data(&page);
    assert_eq!(data["snapshot"]["database"], HOSTILE);
    assert_eq!(data["snapshot"]["options"][HOSTILE], HOSTILE);
    // One script, one block of data: nothing of the words above ended either.
    assert_eq!((page.matches("<script").count(), page.matches("</script").count()), (2, 2));
    assert!(!page.contains("<!--") && !page.contains("{{") && !page.contains("alert(1)</"));
}

#[test]
fn the_page_loads_nothing_and_runs_one_script() {
    let page = TreeView::of(&registry(&[1]).snapshot(), &[], 1..=u64::MAX).html();
    let nonces: Vec<_> = page.split("nonce=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    let [style, script] = nonces[..] else { panic!("{nonces:?}") };
    assert_eq!((style, style.len()), (script, 32));
    let policy = format!(
        "content=\"default-src 'none'; script-src 'nonce-{script}'; style-src 'nonce-{script}'; img-src data:; \
         base-uri 'none'; form-action 'none'\""
    );
    assert!(page.contains(&policy), "{page:.600}");
    let other = TreeView::of(&registry(&[1]).snapshot(), &[], 1..=u64::MAX).html();
    assert!(!other.contains(script), "a nonce is used once");
    assert!(!page.replace("http://www.w3.org/2000/svg", "").contains("://"));
    assert!(!page.contains(" src=\"http") && !page.contains("@import") && !page.contains("import.meta"));
    // No module is left that a file cannot load.
    assert!(page.lines().all(|line| !line.starts_with("import ") && !line.starts_with("export ")));
}

#[test]
fn a_module_stands_behind_those_that_it_imports() {
    let mut known = Vec::new();
    let modules = MODULES.map(|name| (name, assets::text(&format!("{name}.js"))));
    for (name, text) in modules.into_iter().chain([("file", SCRIPT)]) {
        for import in text.lines().filter(|line| line.starts_with("import")) {
            let from = import.split_once(" from './").unwrap().1.strip_suffix(".js';").unwrap();
            assert!(known.contains(&from), "{name} imports {from}");
        }
        known.push(name);
    }
}

#[test]
fn changes_are_taken_back_to_the_last_one_that_is_shown() {
    // 1 and 2 come, both become 3 below, 4 comes.
    let changes = [
        change(1, &[(0, 1)], &[]),
        change(2, &[(0, 2)], &[]),
        change(3, &[(1, 3)], &[(0, 1), (0, 2)]),
        change(4, &[(0, 4)], &[]),
    ];
    let snapshot = {
        let registry = registry(&[4]);
        let mut state = PublishedState::clone(&registry.published());
        state.levels[1].tables = vec![table(3)];
        registry.publish(state);
        registry.snapshot()
    };
    let expected: [(u64, &[u64], &[u64]); 4] =
        [(4, &[4], &[3]), (3, &[], &[3]), (2, &[2, 1], &[]), (1, &[1], &[])];
    for (last, zero, one) in expected {
        let data = data(&TreeView::of(&snapshot, &changes, 1..=last).html());
        let levels = &data["snapshot"]["levels"];
        assert_eq!((numbers(levels, 0), numbers(levels, 1)), (zero.to_vec(), one.to_vec()), "after {last}");
        assert_eq!(data["edits"].as_array().unwrap().len() as u64, last);
        assert_eq!(data["remark"].is_null(), last == 4, "{}", data["remark"]);
        assert_eq!(data["newest"], 4, "after {last}");
    }
    let middle = data(&TreeView::of(&snapshot, &changes, 2..=3).html());
    assert_eq!(middle["edits"][0]["number"], 2);
    assert_eq!(middle["edits"][1]["removed"].as_array().unwrap().len(), 2);
}

#[test]
fn of_many_changes_the_newest_are_kept_and_the_page_says_so() {
    let changes: Vec<_> = (1..=600).map(|number| change(number, &[(1, number)], &[])).collect();
    let data = data(&TreeView::of(&registry(&[]).snapshot(), &changes, 1..=u64::MAX).html());
    let edits = data["edits"].as_array().unwrap();
    assert_eq!((edits.len(), edits[0]["number"].as_u64()), (500, Some(101)));
    assert_eq!(data["remark"], "Of 600 changes, the 100 oldest are left out.");
}

#[test]
fn figures_are_kept_and_words_about_them_are_not() {
    let registry = registry(&[1]);
    registry.recorder().set(Gauge::LevelFiles.at(0), 1.0);
    registry.recorder().add(Counter::GetOperations, 0);
    let data = data(&TreeView::of(&registry.snapshot(), &[], 1..=u64::MAX).html());
    let metrics = data["snapshot"]["metrics"].as_array().unwrap();
    let files: Vec<_> = metrics.iter().filter(|metric| metric["name"] == "db_level_files").collect();
    // All of a family that has something: their order says which is which.
    assert_eq!(files.len(), 7);
    assert_eq!(files[0]["value"], 1.0);
    assert!(
        metrics
            .iter()
            .all(|metric| metric.get("help").is_none() && metric["name"] != "db_get_operations_total")
    );
}

#[test]
fn a_page_of_a_server_is_made_of_what_it_answers_or_of_nothing() {
    let snapshot = json::to_value(&registry(&[1, 2]).snapshot());
    let history = json!({"database": HOSTILE, "labels": {"a": {"b": ["c"]}}, "edits": [{"number": 1}]});
    let view = TreeView::of_documents(snapshot.clone(), history.clone()).unwrap();
    let data = data(&view.html());
    assert_eq!(numbers(&data["snapshot"]["levels"], 0), [1, 2]);
    assert_eq!((&data["labels"]["a"]["b"][0], &data["edits"][0]["number"]), (&json!("c"), &json!(1)));
    assert!(data["tree"].is_null() && data["newest"].is_null());
    let with = |tree: Value| json!({"labels": {}, "edits": [], "tree": tree});
    assert!(TreeView::of_documents(snapshot.clone(), with(json!({"levels": 1}))).is_none());
    for (snapshot, history) in [
        (json!({}), history.clone()),
        (snapshot.clone(), json!({"labels": {}})),
        (snapshot, json!([1])),
        (json!("text"), history),
    ] {
        assert!(TreeView::of_documents(snapshot, history).is_none());
    }
}

/// The oracle is the book: it is asked after a table came that it has not looked at.
#[test]
fn the_picture_of_a_process_is_what_its_changes_led_to() {
    let registry = registry(&[1]);
    let book = history::Book::new(std::sync::Arc::clone(&registry));
    let look = || book.look(&crate::process::Process::default(), "{}");
    let come = |number: u64| {
        let mut state = PublishedState::clone(&registry.published());
        state.levels[0].tables.insert(0, table(number));
        registry.publish(state);
    };
    look();
    come(2);
    look();
    come(3);
    let history = serde_json::from_str(&book.document(1)).unwrap();
    let view = TreeView::of_documents(json::to_value(&registry.snapshot()), history).unwrap();
    let data = data(&view.html());
    assert_eq!(numbers(&data["snapshot"]["levels"], 0), [3, 2, 1]);
    let shown = data["tree"]["levels"][0]["tables"].as_array().unwrap();
    assert_eq!(shown.iter().map(|fields| fields[0].as_u64()).collect::<Vec<_>>(), [Some(2), Some(1)]);
    assert_eq!(data["edits"].as_array().unwrap().last().unwrap()["added"][0][1], shown[0][0]);
}

#[test]
fn options_that_are_not_the_databases_own_are_left_out_and_the_page_says_so() {
    let registry = registry(&[1]);
    let view = TreeView::of(&registry.snapshot(), &[change(1, &[(0, 1)], &[])], 1..=u64::MAX);
    let (with, without) = (data(&view.html()), data(&view.without_options().html()));
    assert_eq!(with["snapshot"]["options"][HOSTILE], HOSTILE);
    assert!(with["remark"].is_null());
    assert_eq!(
        (&without["snapshot"]["options"], &without["snapshot"]["option_defaults"]),
        (&json!({}), &json!({}))
    );
    assert!(without["remark"].as_str().unwrap().contains("default options"));
}
