//! Only a masked update has a wire form.
use tacita_privacy::NoisedUpdate;
use tls_codec::Serialize;

fn serialise(update: &NoisedUpdate) -> Vec<u8> {
    update.tls_serialize_detached().unwrap()
}

fn main() {}
