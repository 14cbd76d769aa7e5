//! Frames that are too long for a carrier, in parts.

use bytes::{Bytes, BytesMut};
use rumormill_transport_api::Batch;

use crate::wire::{Answer, Block, Deliver, LENGTH, lengths};

/// The same frames, of which none is longer than `longest`: a block of messages parts between them.
/// `None` if one cannot be parted.
///
/// Publishers make blocks without knowing the subscribers' carriers.
pub(crate) fn in_parts(batch: &Batch, longest: usize) -> Option<Batch> {
    let mut parted = Batch::default();
    for frame in batch.iter() {
        match frame.len() <= longest {
            true => parted.push_parts(frame.parts().iter().cloned()),
            false => part(&frame.to_bytes(), longest, &mut parted)?,
        }
    }
    Some(parted)
}

fn part(frame: &Bytes, longest: usize, into: &mut Batch) -> Option<()> {
    let Ok(Answer::Deliver(deliver)) = Answer::decode(frame) else { return None };
    let Deliver { topic, mut first, redelivered, block: mut rest } = deliver;
    let room = longest.checked_sub(Deliver::head_len(topic))?;
    while 0 < rest.count() {
        let front = rest.split_front(fitting(&rest, room)?);
        let mut head = BytesMut::with_capacity(Deliver::head_len(topic));
        Deliver::head(topic, first, redelivered, &mut head);
        first += u64::from(front.count());
        into.push_parts([head.freeze(), front.bytes().clone()]);
    }
    Some(())
}

/// How many messages from the first on fit into so many bytes; `None` if not even that does.
fn fitting(block: &Block, room: usize) -> Option<u32> {
    let (mut count, mut used) = (0, 0);
    for len in lengths(block.bytes()) {
        used += LENGTH + len;
        if room < used {
            break;
        }
        count += 1;
    }
    (count != 0).then_some(count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Blocks;

    fn deliver(first: u64, messages: &[&str]) -> Bytes {
        let mut blocks = Blocks::default();
        messages.iter().for_each(|message| blocks.push(message.as_bytes()));
        Answer::Deliver(Deliver { topic: "t", first, redelivered: 2, block: blocks.take() })
            .encode()
    }

    #[test]
    fn blocks_part_between_messages() {
        let pong = Answer::Pong { token: 1 }.encode();
        let whole = Batch::from_iter([pong.clone(), deliver(7, &["aaaa", "bb", "", "cccccc"])]);
        // The head has 12 bytes.
        let parted = in_parts(&whole, 12 + 14).expect("parts");
        let frames: Vec<_> = parted.iter().map(|frame| frame.to_bytes()).collect();
        assert_eq!(frames, [pong, deliver(7, &["aaaa", "bb"]), deliver(9, &["", "cccccc"])]);
        assert!(parted.largest() <= 26);
    }

    #[test]
    fn what_has_no_parts_is_told() {
        let whole = Batch::from_iter([deliver(7, &["aaaa", "bb"])]);
        assert!(in_parts(&whole, 12 + 7).is_none());
        assert!(in_parts(&whole, 3).is_none());
        assert!(in_parts(&Batch::from_iter([Answer::Pong { token: 1 }.encode()]), 3).is_none());
    }
}
