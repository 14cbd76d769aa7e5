//! The contract, check by check.

mod cancel;
mod ends;
mod flow;
mod hostile;
mod listening;
mod messages;
mod resources;

use crate::Check;

/// Lists checks as `module::name "what it asks"`, with `alone` behind those that look at the whole
/// process.
macro_rules! checks {
    ($($module:ident::$name:ident $asks:literal $($alone:ident)?;)*) => {
        /// Every check, by topic:
        ///
        #[doc = concat!($("- `", stringify!($name), "`: ", $asks, "\n"),*)]
        pub const CHECKS: &[Check] = &[$(Check {
            name: stringify!($name),
            asks: $asks,
            alone: checks!(@alone $($alone)?),
            check: |fixture| Box::pin($module::$name(fixture)),
        }),*];
    };
    (@alone) => { false };
    (@alone alone) => { true };
}

checks! {
    messages::batches_exceed_the_carriers_buffers "a batch of 24 MiB arrives whole; one of datagrams leaves the conn usable";
    messages::many_small_messages_stay_apart "10,000 messages of 0 to 60 bytes in one batch arrive as they were";
    messages::messages_may_have_parts "a message of several slices, or none, arrives as one";
    messages::order_is_kept "10,000 messages in batches of any size arrive in order";
    messages::recv_is_bounded "one `recv` appends at most `MAX_RECV` messages";
    messages::send_flushes "a message arrives without another one behind it";
    messages::sizes_from_nothing_to_the_limit "messages of 0 bytes to `max_message` arrive whole";
    messages::too_large_ends_nothing "a batch with a message beyond the limit is refused untouched, and the conn goes on";

    ends::finished_halves_stay_finished "after an end every call returns `Closed`";
    ends::half_close_leaves_the_other_direction "where halves end by themselves, one goes on when the other is closed";
    ends::polite_close_delivers_everything "what was sent before `close` arrives, and then `Closed`";
    ends::vanished_peers_are_noticed "a peer that drops its halves ends ours; as `Cut` where `tells_cuts`";

    flow::a_thousand_conns_echo "1,000 conns at once" alone;
    flow::each_half_lives_in_its_own_task "both directions at once, every half in a task of its own";
    flow::stopped_readers_stop_writers "on streams a writer waits for its reader after a bounded number of bytes; on datagrams never";

    cancel::dropped_accepts_lose_no_conn "`accept` dropped after one poll, again and again";
    cancel::dropped_closes_lose_nothing "`close` dropped after one poll, again and again; `send` takes nothing from then on";
    cancel::dropped_dials_and_listens_leave_nothing "200 times `dial` and `listen` dropped after one poll leave no descriptor and no task" alone;
    cancel::dropped_recvs_lose_nothing "`recv` dropped after one poll, thousands of times";
    cancel::dropped_sends_lose_nothing "`send` dropped after one poll, thousands of times";

    listening::addresses_are_as_bound "the listener's address is resolved and can be dialled; both ends know their addresses and limits";
    listening::dial_to_nobody "a dial to nobody is a retryable error, or silence on datagrams";
    listening::expectations_are_honoured_or_refused "a dial that expects somebody else never succeeds";
    listening::options_are_known_or_refused "an unknown option in an address is an error";
    listening::silent_dialers_hold_up_nobody "with 1,000 dialers that say nothing, others are accepted and served" alone;
    listening::taken_addresses_are_refused "a second listener is `InUse`, the first is untouched, and the address is free afterwards";

    hostile::hostile_bytes_are_typed_errors "1,000 streams of random bytes end in typed errors, and other conns are not affected";
    hostile::hostile_headers_allocate_nothing "200 announcements of 4 GiB or the limit cost no memory" alone;
    hostile::split_streams_are_joined "messages cut at every byte of the stream arrive whole";
    hostile::truncated_messages_are_cuts "a stream that ends inside a message is `Cut`";

    resources::accept_survives_a_lack_of_descriptors "without descriptors `accept` neither spins nor ends, and goes on when there are some" alone;
    resources::conns_outlive_transport_and_listener "conns go on when the transport and the listener are dropped";
    resources::nothing_is_left "after everything is dropped there is no descriptor, task or file left" alone;
}
