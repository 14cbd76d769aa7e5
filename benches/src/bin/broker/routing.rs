//! What the broker takes to route a block, by its own count, in a process of one thread.

use std::{path::Path, sync::Arc, time::Duration};

use rumormill_broker::{
    Broker, Config, Limits, Stats, SubscribeOptions, Topic,
    wire::{Block, Blocks, Hello, Publish, Request},
};
use rumormill_registry::Registry;
use rumormill_transport_api::{Addr, AnyConn, Batch, Target, Writer};
use tokio::{runtime::Builder, task::JoinSet, time::Instant};

use crate::{
    Outcome,
    options::Options,
    ours::connect,
    say,
    serve::FANOUT,
    table::{json, median},
};

pub(crate) fn measure(folder: &Path, options: &Options) -> Outcome<()> {
    for case in CASES {
        // A runtime for each run: with it, all of the broker has gone.
        let once = |addr: &Addr| {
            Builder::new_current_thread().enable_all().build()?.block_on(case.run(addr, options))
        };
        let addr = format!("unix://{}/routing.sock", folder.display()).parse()?;
        let rounds: Outcome<Vec<f64>> = (0..options.rounds).map(|_| once(&addr)).collect();
        let nanos = median(rounds?);
        let Case { size, messages, subscribers } = case;
        let each = nanos / f64::from(messages);
        match options.is_json {
            true => say(&format!(
                "{{\"part\":\"routing\",\"bytes\":{size},\"messages\":{messages},\
                 \"subscribers\":{subscribers},\"block_ns\":{},\"message_ns\":{}}}",
                json(Some(nanos)),
                json(Some(each))
            ))?,
            false => say(&format!(
                "routing blocks of {messages:>2} × {size:>4} B to {subscribers:>3}   \
                 {nanos:>7.0} ns   {each:>7.1} ns a message"
            ))?,
        }
    }
    Ok(())
}

/// Blocks of so many messages of so many bytes, for so many subscribers.
#[derive(Clone, Copy)]
struct Case {
    size: usize,
    messages: u32,
    subscribers: usize,
}

impl Case {
    /// The median of a block, in nanoseconds.
    async fn run(self, addr: &Addr, options: &Options) -> Outcome<f64> {
        let limits = Limits { publish_window: MOST, ..Limits::default() };
        let mut config = Config { limits, ..Config::default() };
        config.topics.insert(FANOUT.parse()?, Topic::default());
        let broker = Broker::start(Arc::new(Registry::linked()?), None, config)?;
        broker.listen(addr).await?;
        let mut subscribers = JoinSet::new();
        for _ in 0..self.subscribers {
            let client = connect(addr).await?;
            let subscribed = client.subscribe(FANOUT.parse()?, SubscribeOptions::default());
            let mut subscription = subscribed.await?;
            subscribers.spawn(async move {
                let _client = client;
                while subscription.next().await.is_some() {}
            });
        }
        self.publish(addr, options).await?;
        let Stats { routing, .. } = broker.stats();
        Ok(routing.quantile(0.5).as_nanos() as f64)
    }

    /// As the client does not: each frame a block of that many messages, whatever waits.
    async fn publish(self, addr: &Addr, options: &Options) -> Outcome<()> {
        let mut conn = greet(addr).await?;
        let publish = Publish { topic: FANOUT, receipt: None, block: self.block() };
        let frame = Request::Publish(publish).encode();
        let until = Instant::now() + options.span.min(Duration::from_millis(500));
        let mut sent = 0;
        // Nobody reads what the broker grants, so it is granted everything beforehand.
        while Instant::now() < until && sent < MOST / 2 {
            let frames = (16 << 10) / frame.len() + 1;
            let mut batch: Batch = std::iter::repeat_n(frame.clone(), frames).collect();
            sent += frames * frame.len();
            conn.writer.send(&mut batch).await?;
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    fn block(self) -> Block {
        let mut blocks = Blocks::default();
        (0..self.messages).for_each(|_| blocks.push(&vec![b'.'; self.size]));
        blocks.take()
    }
}

/// A conn that has said Hello, and of which nothing is read.
async fn greet(addr: &Addr) -> Outcome<AnyConn> {
    let mut conn = Registry::linked()?.dial(&Target::new(addr.clone())).await?;
    let hello = Request::Hello(Hello { nonce: [0; 32], node: None });
    conn.writer.send(&mut Batch::from_iter([hello.encode()])).await?;
    Ok(conn)
}

/// Bytes that may be published.
const MOST: usize = 1 << 30;
const CASES: [Case; 6] = [
    Case { size: 64, messages: 1, subscribers: 1 },
    Case { size: 64, messages: 1, subscribers: 100 },
    Case { size: 64, messages: 64, subscribers: 1 },
    Case { size: 64, messages: 64, subscribers: 100 },
    Case { size: 1 << 10, messages: 60, subscribers: 1 },
    Case { size: 1 << 10, messages: 60, subscribers: 100 },
];
