//! A noised update is no message.
use tacita_privacy::NoisedUpdate;
use tacita_protocol::messages::{ClientMessage, UploadChunk};

fn send(update: NoisedUpdate) -> ClientMessage {
    ClientMessage::Chunk(UploadChunk { index: 0, packed: update })
}

fn main() {}
