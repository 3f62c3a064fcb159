//! The rows of the table.

use anyhow::Result;
use futures::future::LocalBoxFuture;

use crate::running::Running;

mod auth;
mod bodies;
mod module;
mod replicas;
mod routing;

/// A row of the table.
pub(crate) struct Check {
    /// Its name: a sentence.
    pub(crate) name: &'static str,
    /// Whether it runs before the module can be fetched.
    pub(crate) without_module: bool,
    /// Whether it is about what the gateway's route says.
    pub(crate) depends_on_route: bool,
    /// Runs it; returns a remark for the table.
    pub(crate) run: for<'a> fn(&'a mut Running) -> LocalBoxFuture<'a, Result<String>>,
}

macro_rules! check {
    ($module:ident :: $name:ident $(, $setting:ident)*) => {
        Check {
            $($setting: true,)*
            ..Check::new(stringify!($name), |running| Box::pin($module::$name(running)))
        }
    };
}

/// All checks, in the order in which they run.
pub(crate) static CHECKS: [Check; 14] = [
    check!(module::signals_pass_and_are_counted_right_without_the_module, without_module, depends_on_route),
    check!(routing::single_webhooks_reach_one_owner_for_each_incident, depends_on_route),
    check!(routing::a_webhook_of_twelve_incidents_is_split_to_their_owners, depends_on_route),
    check!(bodies::a_body_of_40_kb_is_counted, depends_on_route),
    check!(bodies::a_body_of_5_mib_is_counted_and_a_larger_one_is_refused),
    check!(bodies::a_slow_sender_gets_503_and_may_send_again),
    check!(replicas::a_replica_killed_in_a_storm_costs_no_signal, depends_on_route),
    check!(replicas::a_split_webhook_is_complete_although_a_replica_is_killed),
    check!(replicas::a_replica_added_and_removed_in_a_storm_costs_no_signal),
    check!(auth::only_senders_with_a_token_and_the_right_may_signal),
    check!(module::a_filter_that_traps_serves_the_next_request),
    check!(module::a_new_module_takes_over_under_load),
    check!(module::a_new_configuration_takes_over_under_load),
    check!(module::a_bad_configuration_is_refused_and_the_old_one_stays),
];

impl Check {
    const fn new(name: &'static str, run: for<'a> fn(&'a mut Running) -> LocalBoxFuture<'a, Result<String>>) -> Self {
        Self { name, without_module: false, depends_on_route: false, run }
    }
}
