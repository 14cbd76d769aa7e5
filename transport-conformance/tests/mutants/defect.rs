//! What can be wrong with a transport, one thing at a time.

/// Lists defects, each named for the check that must notice it.
macro_rules! defects {
    ($($(#[$doc:meta])* $defect:ident $check:ident;)*) => {
        /// One deliberate defect, as narrow as the check that must notice it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Defect { $($(#[$doc])* $defect),* }

        /// Each defect, and the name of the check that must notice it.
        pub(crate) const DEFECTS: &[(Defect, &str)] = &[$((Defect::$defect, stringify!($check))),*];
    };
}

defects! {
    /// Without descriptors, `accept` ends the listener.
    AcceptEnds accept_survives_a_lack_of_descriptors;
    /// A dialer is told the address that it asked for, not the one bound.
    AddressUnresolved addresses_are_as_bound;
    /// `send` gives up a batch that is larger than any buffer.
    BatchCutShort batches_exceed_the_carriers_buffers;
    /// Conns end with the listener that they came from.
    ConnsEndWithListener conns_outlive_transport_and_listener;
    /// Dialling nobody looks like a mistake in the address.
    NobodyIsFatal dial_to_nobody;
    /// `accept` takes a conn, and then waits for something else.
    AcceptLosesConn dropped_accepts_lose_no_conn;
    /// `close` takes the stream, and then waits for it.
    CloseLosesPending dropped_closes_lose_nothing;
    /// `dial` starts a task that nobody ends.
    DialLeavesTask dropped_dials_and_listens_leave_nothing;
    /// `recv` takes messages, and then waits for something else.
    RecvLosesMessages dropped_recvs_lose_nothing;
    /// `send` keeps what it has not sent yet in its future.
    SendLosesRest dropped_sends_lose_nothing;
    /// Both halves need one lock.
    HalvesShareLock each_half_lives_in_its_own_task;
    /// `dial` does not look at whom the caller expects.
    ExpectationIgnored expectations_are_honoured_or_refused;
    /// A closed writer goes on sending.
    ClosedWriterSends finished_halves_stay_finished;
    /// Closing the writer ends the reader.
    CloseEndsReader half_close_leaves_the_other_direction;
    /// What breaks the protocol is reported as something else.
    UntypedError hostile_bytes_are_typed_errors;
    /// A buffer of the announced length is allocated before the message is there.
    AllocatesOnHeader hostile_headers_allocate_nothing;
    /// The last two messages of a very long batch arrive as one.
    MergesMessages many_small_messages_stay_apart;
    /// Each part arrives as a message.
    PartsStayApart messages_may_have_parts;
    /// A writer dropped in the middle of its work leaves a task.
    DropLeavesTask nothing_is_left;
    /// Options in addresses are not looked at.
    OptionsIgnored options_are_known_or_refused;
    /// Two messages of a longer batch change places.
    SwapsMessages order_is_kept;
    /// The end after many messages looks like a cut.
    CloseLooksLikeCut polite_close_delivers_everything;
    /// `recv` appends as much as there is.
    RecvUnbounded recv_is_bounded;
    /// A message stays in a buffer until the next one comes.
    NotFlushed send_flushes;
    /// `accept` waits until the conn before has said something.
    HandshakeInLine silent_dialers_hold_up_nobody;
    /// A message of the greatest length loses its last byte.
    LastByteLost sizes_from_nothing_to_the_limit;
    /// The first bytes of a header are lost if they come alone.
    SplitHeaderLost split_streams_are_joined;
    /// The writer takes whatever it is given.
    NeverWaits stopped_readers_stop_writers;
    /// A second listener takes the address from the first.
    AddressStolen taken_addresses_are_refused;
    /// The 700th conn is not served.
    ThousandthLost a_thousand_conns_echo;
    /// A message that is too long ends the writer.
    TooLargeEnds too_large_ends_nothing;
    /// Half a message at the end of a stream passes for a polite end.
    TruncationLooksPolite truncated_messages_are_cuts;
    /// A dropped writer leaves its stream open.
    DropUnnoticed vanished_peers_are_noticed;
}
