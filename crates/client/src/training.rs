//! Local training, clipping, encoding and noise.

use std::sync::Arc;

use rand_core::Rng as _;
use tacita_learn::{Dataset, GlobalModel, Instructions, Trainer};
use tacita_privacy::{BudgetTicket, LocalUpdate, NoisedUpdate};
use tacita_protocol::manifest::CheckedManifest;

use crate::round::ClientError;
use crate::{Client, cpu, random};

pub(crate) type Trained = Result<(NoisedUpdate, BudgetTicket), (ClientError, BudgetTicket)>;

impl Client {
    /// Local training, clipping, encoding and noise on a worker thread. Gives the ticket back either way.
    pub(crate) fn train(
        &mut self,
        model: GlobalModel,
        manifest: Arc<CheckedManifest>,
        mut ticket: BudgetTicket,
    ) -> impl Future<Output = Trained> + Send + use<> {
        let data = self.data.clone();
        let kept = self.trainer.clone();
        let canary = self
            .hooks
            .canary
            .as_ref()
            .and_then(|canary| canary(&self.name, manifest.fields().round));
        async move {
            let done = cpu::run(move || {
                let local = match canary {
                    Some(values) => planted(values, &manifest),
                    None => trained(&data, &kept, &model, &manifest),
                };
                let result = local.and_then(|update| noised(update, &manifest, &mut ticket));
                (result, ticket)
            })
            .await;
            match done {
                Some((Ok(update), ticket)) => Ok((update, ticket)),
                Some((Err(message), ticket)) => Err((ClientError::Training(message), ticket)),
                None => Err((ClientError::Worker, BudgetTicket::without_any_privacy_promise())),
            }
        }
    }
}

/// What training makes of the model.
fn trained(
    data: &Dataset,
    kept: &std::sync::Mutex<Option<Arc<Trainer>>>,
    model: &GlobalModel,
    manifest: &CheckedManifest,
) -> Result<LocalUpdate, String> {
    let text = |e: &dyn std::fmt::Display| e.to_string();
    let instructions = Instructions::from_text(manifest.training()).map_err(|e| text(&e))?;
    if instructions.model != model.spec() {
        return Err("the model received is not the one in the instructions".into());
    }
    let trainer = {
        let mut slot = kept.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match slot.as_ref().filter(|t| t.spec() == model.spec()) {
            Some(trainer) => trainer.clone(),
            None => {
                let made = Arc::new(Trainer::new(model.spec(), data).map_err(|e| text(&e))?);
                *slot = Some(made.clone());
                made
            }
        }
    };
    let (config, seed) = (instructions.config(), random().next_u64());
    match manifest.weighting() {
        None => trainer.train(model, &config, seed),
        Some(weighting) => trainer.train_weighted(model, &config, weighting, seed),
    }
    .map_err(|e| text(&e))
}

/// A canary, at the largest weight there is.
fn planted(values: Vec<f32>, manifest: &CheckedManifest) -> Result<LocalUpdate, String> {
    match manifest.weighting() {
        None => LocalUpdate::new(values),
        Some(weighting) => LocalUpdate::weighted(values, u64::MAX, weighting),
    }
    .map_err(|e| e.to_string())
}

/// Clipping, encoding and noise: the same for whatever a member has to say.
fn noised(
    update: LocalUpdate,
    manifest: &CheckedManifest,
    ticket: &mut BudgetTicket,
) -> Result<NoisedUpdate, String> {
    let text = |e: &dyn std::fmt::Display| e.to_string();
    let mut rng = random();
    update
        .clip(manifest.encoding())
        .map_err(|e| text(&e))?
        .encode(manifest.headroom(), &mut rng)
        .map_err(|e| text(&e))?
        .noise(ticket, &mut rng)
        .map_err(|e| text(&e))
}
