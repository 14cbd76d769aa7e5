//! Counts what rumormill allocates on its hot path: a sender and a receiver, a thread each; and what
//! an endpoint takes to queue a message.

#[path = "allocations/counting.rs"]
mod counting;
#[path = "allocations/queue.rs"]
mod queue;

use std::{error::Error, iter::repeat_n, process::ExitCode, thread};

use bytes::Bytes;
use rumormill_registry::Registry;
use rumormill_transport_api::{
    Addr, AnyListener, Batch, Error as ConnError, Listener, Reader, Writer,
};
use rumormill_transport_tcp as _;
use tokio::runtime::Builder;

use crate::counting::allocations;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> ExitCode {
    match [64, 1 << 10].into_iter().try_for_each(count).and_then(|()| count_queue()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Prints what messages of `size` bytes cost, and fails if that is much.
fn count(size: usize) -> Outcome<()> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let addr: Addr = "tcp://127.0.0.1:0".parse()?;
    let listener = runtime.block_on(Registry::linked()?.listen(&addr))?;
    let to = listener.addr().clone();
    let sender = thread::spawn(move || send(to, size));
    let received = runtime.block_on(receive(listener))?;
    let sent = sender.join().map_err(|_| "the sender panicked")??;
    print(size, "send", &sent);
    print(size, "recv", &received);
    match [sent, received].iter().all(|cost| cost.allocations <= MOST * cost.calls) {
        true => Ok(()),
        false => Err(format!("more than {MOST} allocations in a call").into()),
    }
}

/// Prints what an endpoint takes to queue a message, and fails if it allocates.
#[expect(clippy::print_stdout, reason = "the figures are what this program is for")]
fn count_queue() -> Outcome<()> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let call = runtime.block_on(queue::measure())?;
    println!("Endpoint::send: {} ns, {} allocations", call.nanos, call.allocations);
    match call.allocations {
        0 => Ok(()),
        _ => Err("an endpoint allocates to queue a message".into()),
    }
}

/// What all messages together cost one half.
struct Cost {
    calls: u64,
    allocations: u64,
}

/// The payload is allocated once, before: what is counted is what sending it takes.
fn send(to: Addr, size: usize) -> Outcome<Cost> {
    Builder::new_current_thread().enable_all().build()?.block_on(async {
        let mut conn = Registry::linked()?.dial(&to.into()).await?;
        let (message, mut batch, mut left) =
            (Bytes::from(vec![0x5a; size]), Batch::default(), MESSAGES);
        let before = allocations();
        while 0 < left {
            batch.extend(repeat_n(&message, BATCH).cloned());
            conn.writer.send(&mut batch).await?;
            left -= BATCH as u64;
        }
        let cost = Cost { calls: MESSAGES / BATCH as u64, allocations: allocations() - before };
        conn.writer.close().await?;
        Ok(cost)
    })
}

async fn receive(mut listener: AnyListener) -> Outcome<Cost> {
    let (mut reader, mut arrived) = (listener.accept().await?.reader, Vec::new());
    let (before, mut calls, mut count) = (allocations(), 0, 0);
    loop {
        let result = reader.recv(&mut arrived).await;
        calls += 1;
        count += arrived.drain(..).len() as u64;
        match result {
            Ok(()) => (),
            Err(ConnError::Closed) if count == MESSAGES => {
                return Ok(Cost { calls, allocations: allocations() - before });
            }
            Err(error) => return Err(error.into()),
        }
    }
}

#[expect(clippy::print_stdout, reason = "the figures are what this program is for")]
fn print(size: usize, half: &str, cost: &Cost) {
    let (per_call, per_allocation) = (MESSAGES / cost.calls, MESSAGES / cost.allocations.max(1));
    println!(
        "{size:>5} B {half}: {MESSAGES} messages, {per_call} in a call, one allocation in \
         {per_allocation} messages"
    );
}

const MESSAGES: u64 = 1 << 20;
const BATCH: usize = 128;
/// The box of the call's future, and what a new buffer takes: the buffer, its count of users, and
/// growth of the list of messages.
const MOST: u64 = 4;
