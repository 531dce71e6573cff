use super::*;
use std::sync::Condvar;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A check that answers only while its gate is open, and counts how often it is called.
#[derive(Clone)]
struct Gated {
    name: &'static str,
    gate: Arc<(Mutex<bool>, Condvar)>,
    calls: Arc<AtomicUsize>,
}

impl Gated {
    fn new(name: &'static str, open: bool) -> Self {
        Self { name, gate: Arc::new((Mutex::new(open), Condvar::new())), calls: Arc::default() }
    }

    fn open(&self) {
        *self.gate.0.lock().unwrap() = true;
        self.gate.1.notify_all();
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

impl HealthCheck for Gated {
    fn name(&self) -> &'static str {
        self.name
    }

    fn is_critical(&self) -> bool {
        true
    }

    fn check(&self) -> CheckResult {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let open = self.gate.0.lock().unwrap();
        drop(self.gate.1.wait_while(open, |open| !*open).unwrap());
        CheckResult::healthy("It has answered")
    }
}

struct Panics;

impl HealthCheck for Panics {
    fn name(&self) -> &'static str {
        "panics"
    }

    fn check(&self) -> CheckResult {
        panic!("this message belongs to a test")
    }
}

fn monitor() -> HealthMonitor {
    HealthMonitor::new().without_built_in().timeout(Duration::from_secs(1))
}

fn found(report: &HealthReport, name: &str) -> (HealthStatus, String) {
    let check = report.check(name).unwrap();
    (check.status, check.message.clone())
}

fn wait_until(what: &str, done: impl Fn() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < Duration::from_secs(60), "{what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// W54, B76.
#[test]
fn a_late_check_is_unknown_is_not_called_again_and_keeps_none_of_the_others() {
    let (late, fine) = (Gated::new("late", false), Gated::new("fine", true));
    let health = monitor().register(late.clone()).register(fine.clone()).start(&[]);
    let report = health.check_now();
    assert_eq!(found(&report, "late").0, HealthStatus::Unknown);
    assert_eq!(found(&report, "fine").0, HealthStatus::Healthy);
    assert_eq!(report.status(), HealthStatus::Unknown);
    for _ in 0..3 {
        let (status, message) = found(&health.check_now(), "late");
        assert_eq!(status, HealthStatus::Unknown);
        assert!(message.starts_with("Still no answer"), "{message}");
    }
    assert_eq!(late.calls(), 1);
    assert!(fine.calls() >= 4);
    late.open();
    wait_until("it is well again", || health.check_now().status() == HealthStatus::Healthy);
    assert_eq!(late.calls(), 2, "once it had answered it was called again");
}

#[test]
fn checks_that_all_hang_are_called_once_each_however_often_it_is_their_turn() {
    let checks = ["a", "b", "c", "d"].map(|name| Gated::new(name, false));
    let monitor = checks.iter().fold(monitor(), |monitor, check| monitor.register(check.clone()));
    let health = monitor.start(&[]);
    for _ in 0..5 {
        health.check_now();
    }
    assert_eq!(checks.each_ref().map(Gated::calls), [1; 4]);
    drop(health);
    checks.iter().for_each(Gated::open);
}

#[test]
fn a_check_that_panics_is_unknown_and_takes_nothing_with_it() {
    let fine = Gated::new("fine", true);
    let health = monitor().timeout(Duration::MAX).register(Panics).register(fine.clone()).start(&[]);
    for _ in 0..2 {
        let report = health.check_now();
        let expected = "The check panicked: this message belongs to a test";
        assert_eq!(found(&report, "panics"), (HealthStatus::Unknown, expected.to_owned()));
        assert_eq!(found(&report, "fine").0, HealthStatus::Healthy);
        assert_eq!(report.status(), HealthStatus::Degraded, "it is not critical");
    }
}

/// If it waited for the check, this would never end.
#[test]
fn dropping_does_not_wait_for_a_check_that_hangs() {
    let late = Gated::new("late", false);
    let health = monitor().timeout(Duration::MAX).register(late.clone()).start(&[]);
    wait_until("the check runs", || late.calls() == 1);
    drop(health);
    late.open();
}

#[test]
fn checks_run_again_and_again_without_being_asked() {
    let fine = Gated::new("fine", true);
    let health = monitor().interval(Duration::ZERO).register(fine.clone()).start(&[]);
    wait_until("three rounds", || fine.calls() >= 3);
    assert_eq!(health.report().status(), HealthStatus::Healthy);
}

#[test]
fn no_interval_and_no_time_out_is_too_long() {
    let health = monitor().interval(Duration::MAX).timeout(Duration::MAX).register(Panics).start(&[]);
    assert_eq!(health.check_now().status(), HealthStatus::Degraded);
}

/// B16, K39.
#[test]
fn built_in_checks_bear_the_names_of_databases_if_there_are_several_and_others_take_their_places() {
    let names = |monitor: &HealthMonitor, registries: &[Arc<Registry>]| -> Vec<String> {
        monitor.slots(registries).iter().map(|slot| slot.found.name.to_string()).collect()
    };
    let [one, two] = ["orders", "stock"].map(Registry::new);
    let monitor = HealthMonitor::new().register(Gated::new("memory", true)).register(Gated::new("x", true));
    let alone = names(&monitor, std::slice::from_ref(&one));
    assert_eq!(alone, ["storage", "disk", "compaction", "errors", "memory", "cpu", "threads", "x"]);
    let slots = monitor.slots(std::slice::from_ref(&one));
    let memory = slots.iter().find(|slot| &*slot.found.name == "memory").unwrap();
    assert!(memory.found.critical, "the application's own");
    let both = names(&monitor, &[one, two]);
    assert_eq!(
        both[..5],
        ["orders/storage", "orders/disk", "orders/compaction", "orders/errors", "stock/storage"]
    );
    assert_eq!(both.len(), 12);
}

#[test]
fn a_long_name_is_cut() {
    struct Long(String);
    impl HealthCheck for Long {
        fn name(&self) -> &str {
            &self.0
        }

        fn check(&self) -> CheckResult {
            CheckResult::healthy("")
        }
    }
    let slots = monitor().register(Long("é".repeat(1_000))).slots(&[]);
    assert_eq!(slots[0].found.name.chars().count(), NAME_CHARS);
}
