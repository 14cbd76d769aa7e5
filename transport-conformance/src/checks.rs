//! The contract, check by check.

mod cancel;
mod ends;
mod flow;
mod hostile;
mod listening;
mod messages;
mod resources;

use crate::Check;

/// Lists checks as `module::name`, with `alone` before those that look at the whole process.
macro_rules! checks {
    ($($module:ident::$name:ident $($alone:ident)?;)*) => {
        &[$(Check {
            name: stringify!($name),
            alone: checks!(@alone $($alone)?),
            check: |fixture| Box::pin($module::$name(fixture)),
        }),*]
    };
    (@alone) => { false };
    (@alone alone) => { true };
}

/// Every check, by file and topic.
pub const CHECKS: &[Check] = checks! {
    messages::batches_exceed_the_carriers_buffers;
    messages::many_small_messages_stay_apart;
    messages::messages_may_have_parts;
    messages::order_is_kept;
    messages::recv_is_bounded;
    messages::send_flushes;
    messages::sizes_from_nothing_to_the_limit;
    messages::too_large_ends_nothing;

    ends::finished_halves_stay_finished;
    ends::half_close_leaves_the_other_direction;
    ends::polite_close_delivers_everything;
    ends::vanished_peers_are_noticed;

    flow::a_thousand_conns_echo alone;
    flow::each_half_lives_in_its_own_task;
    flow::stopped_readers_stop_writers;

    cancel::dropped_accepts_lose_no_conn;
    cancel::dropped_closes_lose_nothing;
    cancel::dropped_dials_and_listens_leave_nothing alone;
    cancel::dropped_recvs_lose_nothing;
    cancel::dropped_sends_lose_nothing;

    listening::addresses_are_as_bound;
    listening::dial_to_nobody;
    listening::expectations_are_honoured_or_refused;
    listening::options_are_known_or_refused;
    listening::silent_dialers_hold_up_nobody alone;
    listening::taken_addresses_are_refused;

    hostile::hostile_bytes_are_typed_errors;
    hostile::hostile_headers_allocate_nothing alone;
    hostile::split_streams_are_joined;
    hostile::truncated_messages_are_cuts;

    resources::accept_survives_a_lack_of_descriptors alone;
    resources::conns_outlive_transport_and_listener;
    resources::nothing_is_left alone;
};
