//! Inputs to start from: what honest parties say and sign in a real round, and what a hostile one would.

use std::collections::BTreeMap;
use std::sync::Arc;

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng as _, SeedableRng as _};
use tacita_identity::{
    CertificateRequest, EnrolMessage, EnrolRequest, Invitation, Name, PrivateKey, RenewRequest, Role, pem,
};
use tacita_ledger::rotation::sign;
use tacita_ledger::{Entry, Hash, KeyType, MemoryFiles, Rotation, VerifierKey};
use tacita_protocol::manifest::Manifest;
use tacita_protocol::messages::{
    ClientMessage, Draws, Hello, Resume, SampledRequest, ServerMessage, SignersMessage,
};

use crate::cast::{Cast, NOW, ORIGIN};
use crate::error::SimError;
use crate::script::Script;
use crate::setting::{Noise, Setting};
use crate::world::{Plan, World};

/// Seed of the cast whose names and signatures are in the corpora.
pub const CAST: u64 = 8_011;

/// Inputs by target and name.
pub type Corpora = BTreeMap<&'static str, BTreeMap<String, Vec<u8>>>;

fn world() -> Result<World, SimError> {
    let mut setting = Setting::new(4, 1, 3);
    setting.dimension = 40;
    World::new(Arc::new(Cast::new(4, CAST)?), setting, 1)
}

/// The files of a ledger with two rounds in it, one without a sum.
pub(super) fn ledger() -> Result<MemoryFiles, SimError> {
    let mut world = world()?;
    world.run_honest(&Plan::new())?;
    world.run_honest(&Plan {
        absent: [0, 1].into(),
        ..Plan::new()
    })?;
    Ok(world.ledger().files().clone())
}

/// Root of the entries before [`rotation`].
pub(super) const BEFORE: Hash = [5; 32];

/// The log's key hands over to another one, in the second entry.
pub(super) fn rotation(cast: &Cast) -> Result<Rotation, SimError> {
    let next = PrivateKey::generate(&mut ChaCha20Rng::seed_from_u64(CAST + 1));
    let next = VerifierKey::new(ORIGIN, KeyType::Ed25519, next.signing_key().verifying_key())?;
    Ok(sign(ORIGIN, 1, &BEFORE, NOW, cast.log_key(), &next)?)
}

/// All inputs, made anew. The same code gives the same bytes.
///
/// # Errors
/// [`SimError`] if a round of honest parties does not run.
pub fn make() -> Result<Corpora, SimError> {
    let mut all = Corpora::new();
    let mut add = |target: &'static str, name: &str, bytes: Vec<u8>| {
        all.entry(target)
            .or_default()
            .insert(name.replace(' ', "-"), bytes);
    };
    messages(&mut add)?;
    identities(&mut add)?;
    ledgers(&mut add)?;
    hostile(&mut add);
    Ok(all)
}

/// One message of each kind, and manifests.
fn messages(add: &mut impl FnMut(&'static str, &str, Vec<u8>)) -> Result<(), SimError> {
    let mut kinds: BTreeMap<&'static str, ServerMessage> = BTreeMap::new();
    let mut world = world()?;
    let mut look = Script::new().edit(|_, to, message| {
        if to == 0 {
            kinds.insert(message.name(), message.clone());
        }
    });
    let report = world.run(&Plan::new(), &mut look)?;
    drop(look);
    let mut more = vec![
        ServerMessage::abort("too few"),
        ServerMessage::Finished(b"done".as_slice().into()),
        ServerMessage::Resume(Resume { next: 3 }),
        // Those of a cohort above 1,000: a round of one is no input to start from.
        ServerMessage::Signers(SignersMessage {
            signers: [0xff; 126].as_slice().into(),
            root: [3; 32],
        }),
    ];
    if let Some(ServerMessage::Reveal(request)) = kinds.get("reveal request") {
        let proofs = vec![vec![[4; 32]; 10].into(); request.signatures.len()].into();
        let request = (**request).clone();
        more.push(ServerMessage::Sampled(Box::new(SampledRequest {
            request,
            proofs,
        })));
    }
    for message in kinds.into_values().chain(more) {
        add("server_message", message.name(), message.encode()?);
    }
    for sent in report.sent.iter().filter(|sent| sent.from == 0) {
        add("client_message", sent.message()?.name(), sent.frame.clone());
    }
    let back = Hello {
        attempt: [7; 32].as_slice().into(),
        model_received: 5,
        ..Hello::fresh(258)
    };
    add(
        "client_message",
        "hello",
        ClientMessage::Hello(Hello::fresh(258)).encode()?,
    );
    add(
        "client_message",
        "hello again",
        ClientMessage::Hello(back).encode()?,
    );
    let leave = ClientMessage::Leave(tacita_protocol::messages::AbortMessage {
        reason: b"TAC-052".as_slice().into(),
    });
    add("client_message", "leave", leave.encode()?);
    let draws = ClientMessage::Draws(Draws {
        drawn: (0..66).map(|i| 15 * i).collect::<Vec<u16>>().into(),
    });
    add("client_message", "draws", draws.encode()?);
    manifests(add)
}

/// Manifests of honest settings, and of settings that nobody should accept.
fn manifests(add: &mut impl FnMut(&'static str, &str, Vec<u8>)) -> Result<(), SimError> {
    let noisy = Setting {
        noise: Noise::Skellam(3000 << 16),
        grid: 64,
        ..Setting::new(20, 1, 18)
    };
    type Edit = fn(&mut Manifest);
    let honest: Edit = |_| {};
    let cases: [(&str, Setting, Edit); 7] = [
        ("plain", Setting::new(4, 1, 3), honest),
        ("noisy", noisy.clone(), honest),
        ("ring", Setting::new(100, 5, 95), honest),
        ("hostile-threshold", Setting::new(4, 1, 3), |m| m.threshold = 1),
        ("hostile-colluders", noisy.clone(), |m| m.colluders = u16::MAX),
        ("hostile-variance", noisy.clone(), |m| {
            m.share_variance_q16 = u64::MAX
        }),
        ("hostile-size", noisy, |m| {
            (m.dimension, m.padded, m.chunk, m.grid) = (u32::MAX, u32::MAX, u32::MAX, u32::MAX);
        }),
    ];
    for (name, setting, edit) in cases {
        let mut manifest = setting.manifest(1, [7; 32], (0, tacita_ledger::tree::empty_root()), NOW)?;
        edit(&mut manifest);
        let invitation = tacita_protocol::messages::Invitation {
            manifest,
            signature: [0; 64],
            checkpoint: Vec::new().into(),
            consistency: Vec::new().into(),
            model_length: 0,
            previous: Vec::new().into(),
        };
        let frame = ServerMessage::Invitation(Box::new(invitation)).encode()?;
        // Without the kind in front and the rest of the invitation behind.
        let end = frame.len().saturating_sub(64 + 2 + 2 + 8);
        add("manifest", name, frame.get(1..end).unwrap_or_default().to_vec());
    }
    Ok(())
}

/// Certificates, requests, enrolment, invitations, deny lists.
fn identities(add: &mut impl FnMut(&'static str, &str, Vec<u8>)) -> Result<(), SimError> {
    let cast = Cast::new(4, CAST)?;
    let mut rng = ChaCha20Rng::seed_from_u64(CAST);
    add("certificate", "member", cast.member(0)?.der.to_vec());
    add("certificate", "server", cast.server().der.to_vec());
    add("certificate", "root", cast.authority().anchor().der().to_vec());
    let key = PrivateKey::generate(&mut rng);
    let request = CertificateRequest::create(&key)?;
    add("request", "request", request.clone());
    let text = |e: &dyn std::fmt::Display| SimError::Setting(e.to_string());
    let root = cast.authority().anchor().fingerprint();
    let name = Name::new("alice")?;
    let (invitation, mut record) =
        Invitation::create("authority.example:4433", root, Role::Client, &name, NOW, &mut rng)
            .map_err(|e| text(&e))?;
    add(
        "invitation",
        "line",
        invitation.to_text().map_err(|e| text(&e))?.as_bytes().to_vec(),
    );
    add(
        "invitation_record",
        "fresh",
        record.to_bytes().map_err(|e| text(&e))?,
    );
    record
        .spend(NOW, &invitation.secret, [7; 32], [8; 32])
        .map_err(|e| text(&e))?;
    add(
        "invitation_record",
        "spent",
        record.to_bytes().map_err(|e| text(&e))?,
    );
    add(
        "pem_file",
        "key",
        key.to_pkcs8_pem().map_err(|e| text(&e))?.as_bytes().to_vec(),
    );
    add(
        "pem_file",
        "der",
        key.to_pkcs8_der().map_err(|e| text(&e))?.to_vec(),
    );
    let root_file = pem::encode("CERTIFICATE", cast.authority().anchor().der());
    add("pem_file", "root", root_file.into_bytes());
    let enrol = EnrolMessage::Enrol(EnrolRequest::redeeming(&invitation, request.clone()));
    let renew = EnrolMessage::Renew(RenewRequest { request });
    let list = cast.deny_list([1])?;
    let answers = [
        ("enrol", enrol),
        ("renew", renew),
        ("ask", EnrolMessage::DenyListRequest),
        ("list", EnrolMessage::DenyList(list.as_bytes().to_vec())),
    ];
    for (name, message) in answers {
        add(
            "enrolment",
            name,
            message.encode().map_err(|e| text(&e))?.to_vec(),
        );
    }
    add("enrolment", "refused", vec![0, 1, 6, 0, 1]);
    add("deny_list", "one", list.as_bytes().to_vec());
    add("deny_list", "nobody", cast.deny_list([])?.as_bytes().to_vec());
    Ok(())
}

/// Heads, entries, bundles, edits of a directory, proofs.
fn ledgers(add: &mut impl FnMut(&'static str, &str, Vec<u8>)) -> Result<(), SimError> {
    let cast = Cast::new(4, CAST)?;
    add("note", "key", cast.log_verifier().to_string().into_bytes());
    add("entry", "rotation", Entry::Rotation(rotation(&cast)?).encode()?);
    let files = ledger()?;
    for (path, content) in files.contents() {
        match path.as_str() {
            "checkpoint" => add("note", "checkpoint", content.clone()),
            path if path.starts_with("tile/entries") => {
                let mut entries = Vec::new();
                let mut rest = content.as_slice();
                while let Some((length, after)) = rest.split_first_chunk::<2>() {
                    let length = usize::from(u16::from_be_bytes(*length)).min(after.len());
                    let (entry, after) = after.split_at(length);
                    entries.push(entry.to_vec());
                    rest = after;
                }
                for (number, entry) in entries.iter().enumerate() {
                    add("entry", &format!("entry-{number}"), entry.clone());
                }
                let width = u8::try_from(entries.len().saturating_sub(1)).unwrap_or(0);
                let name = path.len().to_le_bytes();
                let parts: [&[u8]; 4] = [
                    &[width],
                    name.get(..2).unwrap_or_default(),
                    path.as_bytes(),
                    content,
                ];
                add("bundle", "entries", parts.concat());
            }
            _ => {}
        }
    }
    add("ledger", "untouched", Vec::new());
    add("ledger", "one-bit", vec![0, 0, 2, 20, 0, 1, 0, 1, 0, b'x']);
    add(
        "ledger",
        "a-file-more",
        [&[1, 0, 1, 6, 0][..], b"tile/8"].concat(),
    );
    add("proofs", "untouched", vec![6, 0, 3, 0, 2, 0]);
    add("proofs", "one-more", vec![37, 0, 9, 0, 12, 0, 1, 1, 0, 0, 7]);
    Ok(())
}

/// What nobody honest says: lengths that promise more than there is, counts of nothing, edges.
fn hostile(add: &mut impl FnMut(&'static str, &str, Vec<u8>)) {
    for (target, kinds) in [("client_message", 1..=10), ("server_message", 65..=78)] {
        for kind in kinds {
            // A kind, and then every length at its largest.
            add(
                target,
                &format!("hostile-{kind}"),
                [vec![kind], vec![0xff; 60]].concat(),
            );
        }
    }
    // A thousand and one boxes of nothing: bitmap, root and entries before them.
    let count = 1001u32 * 6;
    let boxes = [&[69][..], &[0; 2 + 32 + 4], &count.to_be_bytes(), &vec![0; 6006]].concat();
    add("server_message", "hostile-empty-boxes", boxes);
    add(
        "note",
        "hostile-lines",
        [b"a\n\n".to_vec(), "\u{2014} a AAAA\n".repeat(1100).into_bytes()].concat(),
    );
    add("note", "empty", b"\n\n\n".to_vec());
    add("entry", "hostile-nesting", b"[".repeat(2000));
    add(
        "entry",
        "hostile-number",
        br#"{"kind":"outcome","round":1e999}"#.to_vec(),
    );
    add(
        "certificate",
        "hostile-length",
        vec![0x30, 0x84, 0xff, 0xff, 0xff, 0xff, 0x30, 0x80],
    );
    add(
        "request",
        "hostile-length",
        vec![0x30, 0x82, 0xff, 0xff, 0x02, 0x01, 0x00],
    );
    add(
        "enrolment",
        "hostile-length",
        vec![0, 1, 5, 0xff, 0xff, 0xff, 0xff],
    );
    add("invitation", "hostile", b"tacita1-".to_vec());
    add("deny_list", "short", vec![0; 63]);
    add("bundle", "hostile", vec![255, 0, 0, 0xff, 0xff]);
    add("bitmap", "full", vec![9, 0, 0xff, 0x01]);
    add("bitmap", "spare", vec![9, 0, 0xff, 0x03]);
    add("bitmap", "empty", vec![0, 0]);
    add("packing", "zeros", [vec![13, 64, 0, 0, 0], vec![0; 104]].concat());
    add("packing", "spare", [vec![13, 5, 0, 3, 0], vec![0xff; 9]].concat());
    add(
        "packing",
        "widest",
        [vec![62, 4, 0, 252, 3], vec![0x55; 31]].concat(),
    );
    for text in [
        "0",
        "1",
        "0.00001",
        "123456789.123456789",
        "01",
        "1.0",
        ".5",
        "1e5",
        "-1",
        "1,3,14",
        "1,03",
        "0.5,0.2,1,0.1,10",
    ] {
        add("decimal", text, text.as_bytes().to_vec());
    }
    small(add);
    let mut rng = ChaCha20Rng::seed_from_u64(CAST);
    add("machines", "honest", Vec::new());
    add("machines", "one-drop-out", vec![1, 0x0e, 0]);
    add("machines", "two-drop-outs", vec![1, 0xee, 0]);
    for number in 0..8 {
        // Mostly passed on, with some of everything: seed, drop-outs, then a decision a message.
        let mut bytes = vec![0; 160];
        rng.fill_bytes(&mut bytes);
        for (at, byte) in bytes.iter_mut().enumerate().skip(3) {
            if at % 12 != number {
                *byte %= 26;
            }
        }
        bytes.splice(1..3, [0, 0]);
        add("machines", &format!("network-{number}"), bytes);
    }
}

/// Inputs of a few bytes: names, scalars, and what a part's target decides by.
fn small(add: &mut impl FnMut(&'static str, &str, Vec<u8>)) {
    for (name, text) in [
        ("plain", "hospital-07"),
        ("client", "tacita:client:hospital-07"),
        ("authority", "tacita:authority:a"),
        ("role", "server"),
        ("hostile-hyphen", "-a"),
        ("hostile-escape", "tacita:client:\u{1b}[2J"),
    ] {
        add("name", name, text.as_bytes().to_vec());
    }
    add("pem_file", "hostile", b"-----BEGIN CERTIFICATE-----\nAA".to_vec());
    add(
        "invitation_record",
        "hostile-name",
        [&[1][..], &[0; 48], &[1, 0xff, 0xff]].concat(),
    );
    let mut order = [0; 32];
    order[..16].copy_from_slice(&[
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    ]);
    order[31] = 0x10;
    add("scalar", "order", order.to_vec());
    order[0] -= 1;
    add("scalar", "largest", order.to_vec());
    add("scalar", "zero", vec![0; 32]);
    add("scalar", "hostile", vec![0xff; 32]);
    // Kind, length / 33, side, room, whether it is divided without need; then edits.
    let long = 20_000u16.to_le_bytes();
    let parts = [&[3][..], &long, &[0, 0, 0]].concat();
    add("part", "shares", parts.clone());
    add("part", "roster", [&[68][..], &long, &[1, 0, 0]].concat());
    add("part", "whole", vec![4, 9, 0, 0, 0, 0]);
    add("part", "hostile-needless", vec![3, 9, 0, 0, 0, 3]);
    add("part", "hostile-kind", [&[4][..], &long, &[0, 0, 0]].concat());
    add("part", "hostile-room", [&[3][..], &long, &[0, 2, 0]].concat());
    add(
        "part",
        "hostile-longest",
        [&[3, 0xff, 0xff][..], &[0, 0, 0]].concat(),
    );
    let between = [&[6, 1, 0, 4, 0][..], &[8, 0, 1, b'x']].concat();
    for (name, edit) in [
        ("missing", &[0, 1, 0][..]),
        ("twice", &[1, 0, 0]),
        ("swapped", &[2, 0, 0]),
        ("between", &between),
    ] {
        add(
            "part",
            &format!("hostile-{name}"),
            [parts.as_slice(), edit].concat(),
        );
    }
    let length = [9, 1, 0xff, 0xff, 0xff, 0xff, 3];
    let promise = [
        &[4, 0, 0, 0, 0, 0, 6, 0, 0][..],
        &u16::try_from(length.len()).unwrap_or(0).to_le_bytes(),
        &length,
    ]
    .concat();
    add("part", "hostile-length", promise);
}
