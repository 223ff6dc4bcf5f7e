//! Messages in parts: a message that somebody divides, and then edits of its frames.

use tacita_protocol::limits::{MAX_FRAME, MAX_MESSAGE};
use tacita_protocol::parts::Assembler;

use super::bytes::Bytes;

/// Bytes of the message in a full part (spec 05 section 3).
const FULL: usize = MAX_FRAME - 6;

/// As the page divides a message: whole if it fits a frame.
fn divided(part: u8, message: &[u8], needed: bool) -> Vec<Vec<u8>> {
    if needed && message.len() <= MAX_FRAME {
        return vec![message.to_vec()];
    }
    let count = message.len().div_ceil(FULL);
    let frame = |(number, bytes): (usize, &[u8])| {
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        [
            &[part, u8::from(number + 1 == count)][..],
            &length.to_be_bytes(),
            bytes,
        ]
        .concat()
    };
    message.chunks(FULL).enumerate().map(frame).collect()
}

/// Side and kind, length, room, whether a message that needs no parts gets them; then edits of the frames. What comes out
/// has one division, which is the frames that went in.
pub(super) fn part(data: &[u8]) -> bool {
    let mut bytes = Bytes::new(data);
    let (kind, length) = (bytes.byte(), bytes.number() * 33);
    let (part, mut assembler) = match bytes.byte() % 2 {
        0 => (9, Assembler::of_client()),
        _ => (75, Assembler::of_server()),
    };
    let room = match bytes.byte() % 4 {
        0 => MAX_MESSAGE,
        1 => length,
        2 => length.saturating_sub(1),
        _ => bytes.number() * 33,
    };
    let mut message: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
    if let Some(first) = message.first_mut() {
        *first = kind;
    }
    let mut frames = divided(part, &message, bytes.byte() % 4 != 3);
    for _ in 0..4 {
        if bytes.is_empty() {
            break;
        }
        let (action, at) = (bytes.byte() % 8, bytes.below(frames.len() + 1));
        let before = frames.len();
        match (action, frames.get_mut(at)) {
            (0, Some(_)) => drop(frames.remove(at)),
            (1, Some(frame)) => {
                let copy = frame.clone();
                frames.insert(at, copy);
            }
            (2, Some(_)) => frames.swap(at, before - 1),
            (3, Some(frame)) => {
                // Most often in what stands before the message's own bytes.
                let width = if bytes.byte() < 200 { 8 } else { frame.len() };
                let place = bytes.below(width);
                if let Some(byte) = frame.get_mut(place) {
                    *byte ^= bytes.byte();
                }
            }
            (4, Some(frame)) => frame.truncate(frame.len().saturating_sub(bytes.below(64))),
            (5, Some(frame)) => frame.extend(bytes.slice()),
            _ => frames.insert(at, bytes.slice().to_vec()),
        }
    }
    // The transport takes no longer frame.
    frames.retain(|frame| frame.len() <= MAX_FRAME);
    let (mut whole, mut taken, mut refused) = (Vec::new(), 0, false);
    for frame in &frames {
        match assembler.push(frame.clone(), room) {
            Ok(complete) => whole.extend(complete),
            Err(_) => {
                refused = true;
                break;
            }
        }
        taken += 1;
    }
    let mut again = whole.iter().flat_map(|message| {
        let frames = divided(part, message, true);
        assert!(message.len() <= MAX_MESSAGE);
        assert!(
            frames.len() == 1 || message.len() <= room,
            "more than there was room for"
        );
        frames
    });
    let mut pending = frames.iter().take(taken).filter(|frame| {
        let next = again.next();
        assert!(
            next.as_ref().is_none_or(|next| next == *frame),
            "another division"
        );
        next.is_none()
    });
    assert!(
        pending.all(|frame| frame.first() == Some(&part)),
        "a message was swallowed"
    );
    assert!(again.next().is_none());
    !refused && !whole.is_empty()
}
