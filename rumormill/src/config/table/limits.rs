//! Keys about what a whole broker may take: in a broker's configuration and in that of a node that hosts one.

macro_rules! server_limits {
    ($kind:ty, $section:literal, |$c:ident| $limits:expr, $window:expr) => {
        $crate::config::key::keys! {
            $kind:
            concat!($section, ".max_connections"), Live whole(1, 1_000_000), |$c| $limits.max_conns,
                "Conns at once; a further one is told so and closed.";
            concat!($section, ".connection_timeout_ms"), Live $crate::config::rule::Millis { least: 100, most: 86_400_000 }, |$c| $limits.idle,
                "How long a client may say nothing, and how long it may take nothing, before it is cut off. Clients of this library say something three times as often.";
            concat!($section, ".handshake_timeout"), Live span(std::time::Duration::from_millis(10), $crate::config::table::HOUR), |$c| $limits.handshake,
                "How long a new conn may take to say and prove who it is.";
            concat!($section, ".max_subscriptions"), Live whole(1, 65_536), |$c| $limits.max_subscriptions,
                "Subscriptions of one conn; a further one is refused.";
            concat!($section, ".memory"), Live size(64 << 10, 1 << 40), |$c| $limits.memory,
                "Bytes of messages that are held in all, each counted once however many subscribers wait for it; more is refused.";
            concat!($section, ".publish_window"), Restart $crate::config::rule::Given(size(1 << 10, 1 << 30)), |$c| $window,
                "Bytes that a conn may publish to a topic before it is granted more; at least the max_message_size of every topic. Unless set: 1MiB, or the longest of those if that is more.";
        }
    };
}
pub(super) use server_limits;

macro_rules! performance {
    ($kind:ty, $section:literal, |$c:ident| $limits:expr) => {
        $crate::config::key::keys! {
            $kind:
            concat!($section, ".channel_capacity"), Live whole(16, 1_000_000), |$c| $limits.channel_capacity,
                "Answers (receipts, refusals, grants) that may wait for one conn; while more do, the conn is not read.";
            concat!($section, ".batch_size"), Live whole(1, 1_000_000), |$c| $limits.batch_size,
                "Messages that are gathered for one write.";
            concat!($section, ".flush_interval_ms"), Live $crate::config::rule::Millis { least: 0, most: 1_000 }, |$c| $limits.flush_interval,
                "How long a write waits for its batch to fill. 0: not at all; what comes while the carrier is busy goes out together.";
        }
    };
}
pub(super) use performance;
