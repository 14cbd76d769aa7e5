//! The test kit of the transport contract: one macro runs all of it against any transport.
//!
//! ```text
//! // tests/conformance.rs of a transport, ours or a stranger's
//! use rumormill_transport_conformance::{Fixture, suite};
//!
//! suite!(Fixture::new(Tcp::default(), "tcp://127.0.0.1:0"));
//! ```
//!
//! It needs no other dependency. It moves a lot of data: in a workspace of your own,
//! `[profile.dev] opt-level = 1` keeps it quick.
//!
//! The macro writes a `#[test]` for each [`CHECKS`] entry. Checks choose themselves: what a carrier
//! does not promise, by its [`Caps`](rumormill_transport_api::Caps), is not asked of it (a datagram
//! may get lost, but must not be altered; who has no end is not asked for one), and a check that
//! does not apply says so on standard output and passes. A fixture with a [raw dialer](Fixture::raw)
//! is also asked how it takes hostile bytes.
//!
//! Checks that count file descriptors, memory or need a thousand conns run in a process of their
//! own: the test starts its own program again with only itself in it.
//!
//! That the kit bites is tested in this crate: for each check there is a transport with one
//! deliberate defect that fails exactly this check.
//!
//! [`Faulty`] puts programmed faults around any transport, for tests and demonstrations of what
//! stands above.

mod fixture;
mod run;

mod checks;
mod pair;
mod process;

mod faulty;

pub use checks::CHECKS;
pub use faulty::{Faults, Faulty, FaultyListener, FaultyReader, FaultyWriter, Road, Tally};
pub use fixture::{Fixture, RawStream};
pub use run::{Asked, Check, run};

/// Runs the whole contract: one `#[test]` for each check, each with a fixture of its own.
///
/// The argument is an expression of type [`Fixture`], evaluated inside the runtime of each test. To
/// run several suites in one file, put each into a module.
#[macro_export]
macro_rules! suite {
    ($fixture:expr) => {
        $crate::suite! { @tests || $fixture;
            accept_survives_a_lack_of_descriptors
            addresses_are_as_bound
            batches_exceed_the_carriers_buffers
            conns_outlive_transport_and_listener
            dial_to_nobody
            dropped_accepts_lose_no_conn
            dropped_closes_lose_nothing
            dropped_dials_and_listens_leave_nothing
            dropped_recvs_lose_nothing
            dropped_sends_lose_nothing
            each_half_lives_in_its_own_task
            expectations_are_honoured_or_refused
            finished_halves_stay_finished
            half_close_leaves_the_other_direction
            hostile_bytes_are_typed_errors
            hostile_headers_allocate_nothing
            many_small_messages_stay_apart
            messages_may_have_parts
            nothing_is_left
            options_are_known_or_refused
            order_is_kept
            polite_close_delivers_everything
            recv_is_bounded
            send_flushes
            silent_dialers_hold_up_nobody
            sizes_from_nothing_to_the_limit
            split_streams_are_joined
            stopped_readers_stop_writers
            taken_addresses_are_refused
            a_thousand_conns_echo
            too_large_ends_nothing
            truncated_messages_are_cuts
            vanished_peers_are_noticed
        }
    };
    (@tests $fixture:expr; $($check:ident)*) => {
        $(
            #[test]
            fn $check() {
                $crate::run(stringify!($check), concat!(module_path!(), "::", stringify!($check)), $fixture);
            }
        )*
        #[test]
        fn every_check_is_asked() {
            $crate::every_check_is_asked(&[$(stringify!($check)),*]);
        }
    };
}

/// Panics unless `asked` names each of [`CHECKS`]: the macro cannot read the table.
#[doc(hidden)]
pub fn every_check_is_asked(asked: &[&str]) {
    let (mut asked, mut known) =
        (asked.to_vec(), CHECKS.iter().map(|check| check.name).collect::<Vec<_>>());
    asked.sort_unstable();
    known.sort_unstable();
    assert_eq!(asked, known, "the macro `suite!` and the table CHECKS differ");
}
