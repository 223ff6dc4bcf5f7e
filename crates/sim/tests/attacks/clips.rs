//! Adaptive clipping: the server cannot set the clip norm that its published counts do not give.

use tacita_protocol::Refusal;
use tacita_protocol::manifest::{Manifest, ManifestClip, ManifestMetrics};
use tacita_protocol::messages::ServerMessage;
use tacita_sim::{Script, World};

use crate::{four, private, refused, run};

/// 0.64, 0.48 and 0.6 side by side: the clip norm is 1.
fn beside(m: &mut Manifest, rule: &str) {
    m.update_clip = b"0.64".as_slice().into();
    m.metrics = vec![ManifestMetrics {
        scale: b"0.75".as_slice().into(),
        loss_cap: b"4".as_slice().into(),
    }]
    .into();
    m.adaptive_clip = vec![ManifestClip {
        rule: rule.as_bytes().into(),
        count_scale: b"0.9375".as_slice().into(),
    }]
    .into();
}

/// Everybody is invited with an edited manifest, properly signed.
fn all_invited(world: &mut World, edit: impl Fn(&mut Manifest) + 'static) -> tacita_sim::Report {
    let attack = Script::new().edit(move |at, _, message| {
        if let ServerMessage::Invitation(invitation) = message {
            edit(&mut invitation.manifest);
            invitation.signature = invitation.manifest.sign(&at.cast.server().key).unwrap();
        }
    });
    run(world, attack)
}

/// Failure: a server starts a task at another clip norm than the rule that everybody reads, or claims a later round and shows nothing of the one before.
#[test]
fn a_clip_norm_off_the_rule() {
    let first = |m: &mut Manifest| beside(m, "0.5,0.2,0.5,0.1,10");
    let report = all_invited(&mut four(), first);
    refused(&report, &[0, 1, 2, 3], &Refusal::ClipSequence);
    private(&report);
    let later = |m: &mut Manifest| {
        beside(m, "0.5,0.2,0.64,0.1,10");
        m.round += 1;
    };
    let report = all_invited(&mut four(), later);
    refused(&report, &[0, 1, 2, 3], &Refusal::ClipSequence);
    private(&report);
}
