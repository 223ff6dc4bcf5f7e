//! The weighting that a manifest states.

use tacita_privacy::{Decimal, ExampleWeighting};

use super::{Manifest, decimal};
use crate::refusal::Refusal;

impl Manifest {
    pub(super) fn check_weighting(&self, clip: Decimal) -> Result<Option<ExampleWeighting>, Refusal> {
        let field = Refusal::ManifestField("weighting");
        match self.weighting {
            0 if self.weight_cap == 0
                && self.weight_scale.as_slice().is_empty()
                && self.update_clip.as_slice().is_empty() =>
            {
                Ok(None)
            }
            1 if self.weight_cap > 0 => {
                let weighting = ExampleWeighting {
                    cap: self.weight_cap,
                    scale: decimal(self.weight_scale.as_slice(), "weight scale")?,
                    update_clip: decimal(self.update_clip.as_slice(), "update clip")?,
                };
                if weighting.joint_clip().ok() == Some(clip) {
                    Ok(Some(weighting))
                } else {
                    Err(field)
                }
            }
            _ => Err(field),
        }
    }
}
