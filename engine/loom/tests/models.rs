//! Runs the models.

#[test]
fn what_is_visible_is_there_and_a_prefix() {
    bettong_loom::models::what_is_visible_is_there_and_a_prefix();
}

#[test]
fn no_sleeper_is_forgotten() {
    bettong_loom::models::no_sleeper_is_forgotten();
}

#[test]
fn a_write_too_far_ahead_waits_for_room() {
    bettong_loom::models::a_write_too_far_ahead_waits_for_room();
}
