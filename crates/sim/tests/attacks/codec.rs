//! Bytes that are no message: an error, never a panic, never an allocation that the bytes do not pay for.

use tacita_protocol::DecodeError;
use tacita_protocol::limits::MAX_FRAME;
use tacita_protocol::messages::{ClientMessage, ServerMessage};

use crate::phases::{client_messages, server_messages};

/// A real frame of every kind, and its decoder.
type Case = (&'static str, Vec<u8>, fn(&[u8]) -> Result<(), DecodeError>);

fn frames() -> Vec<Case> {
    let server = server_messages().into_iter().map(|(name, message)| {
        assert_eq!(
            ServerMessage::decode(&message.encode().unwrap()).unwrap(),
            message
        );
        let decode: fn(&[u8]) -> Result<(), DecodeError> = |bytes| ServerMessage::decode(bytes).map(drop);
        (name, message.encode().unwrap(), decode)
    });
    let client = client_messages().into_iter().map(|(name, message)| {
        assert_eq!(
            ClientMessage::decode(&message.encode().unwrap()).unwrap(),
            message
        );
        let decode: fn(&[u8]) -> Result<(), DecodeError> = |bytes| ClientMessage::decode(bytes).map(drop);
        (name, message.encode().unwrap(), decode)
    });
    server.chain(client).collect()
}

/// Failure: any message cut at any byte decodes.
#[test]
fn every_message_cut_at_every_byte() {
    for (name, frame, decode) in frames() {
        assert!(frame.len() > 1, "{name}");
        for cut in 0..frame.len() {
            assert_eq!(
                decode(&frame[..cut]),
                Err(DecodeError::Malformed),
                "{name} cut at {cut}"
            );
        }
    }
}

/// Failure: bytes behind a message pass.
#[test]
fn trailing_bytes() {
    for (name, frame, decode) in frames() {
        for tail in [&[0u8][..], &[0xff], &frame] {
            let bytes = [&frame[..], tail].concat();
            assert_eq!(decode(&bytes), Err(DecodeError::TrailingBytes), "{name}");
        }
    }
}

/// Failure: a frame above the limit is looked into, or one of our own leaves.
#[test]
fn frame_too_long() {
    let long = vec![0; MAX_FRAME + 1];
    for (_, _, decode) in frames() {
        assert_eq!(decode(&long), Err(DecodeError::FrameTooLong(MAX_FRAME + 1)));
    }
    assert!(ServerMessage::Model(long.into()).encode().is_err());
}

/// Failure: an unknown kind of message decodes, or one side takes the other's.
#[test]
fn unknown_kinds() {
    let (mut server, mut client) = (0, 0);
    for kind in 0..=u8::MAX {
        // Long enough for any fixed part, all lengths zero.
        let bytes = [&[kind][..], &[0; 4096]].concat();
        match ServerMessage::decode(&bytes) {
            Err(DecodeError::Malformed) => {}
            other => {
                assert!(
                    (65..=74).contains(&kind) || (76..=78).contains(&kind),
                    "{kind}: {other:?}"
                );
                server += 1;
            }
        }
        match ClientMessage::decode(&bytes) {
            Err(DecodeError::Malformed) => {}
            other => {
                assert!((1..=8).contains(&kind) || kind == 10, "{kind}: {other:?}");
                client += 1;
            }
        }
    }
    assert_eq!((server, client), (13, 9));
}

/// Failure: a length that promises more than the frame holds is believed.
#[test]
fn lengths_beyond_the_frame() {
    for (name, frame, decode) in frames() {
        for at in 0..frame.len() {
            for value in [0xff, 0x80] {
                let mut bytes = frame.clone();
                bytes[at] = value;
                // Whatever it is now, it is decided without a panic.
                let _ = decode(&bytes);
            }
            if let Some(lengths) = frame.get(..at) {
                let bytes = [lengths, &[0xff; 8]].concat();
                assert!(decode(&bytes).is_err() || at + 8 == frame.len(), "{name} at {at}");
            }
        }
    }
}
