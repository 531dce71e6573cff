//! Runs the models.

macro_rules! run {
    ($($module:ident: $($model:ident),+;)+) => {
        $($(#[test] fn $model() { bettong_metrics_loom::models::$module::$model(); })+)+
    };
}

run! {
    begun: begun_never_shrinks_nor_runs_ahead, a_look_that_is_put_forward_and_back_is_noticed;
    latencies: a_sample_is_counted_once_while_it_is_settled, two_samples_of_one_bucket_add_up,
        a_bucket_that_was_passed_too_early_is_loaded_again, a_pause_leaves_its_operations_out, finished_is_at_most_results_is_at_most_begun;
    lending: one_holder_at_a_time, a_thing_goes_on_counting_where_it_was_returned;
    level: a_change_reaches_a_thread_that_obeys_the_last_one, a_change_reaches_a_thread_that_leases,
        a_change_reaches_a_thread_that_leases_what_another_has_appended;
}
