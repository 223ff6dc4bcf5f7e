//! Local training, clipping, encoding and noise.

use std::sync::Arc;

use rand_core::Rng as _;
use tacita_learn::{GlobalModel, Instructions, Trainer};
use tacita_privacy::{BudgetTicket, NoisedUpdate};
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
        async move {
            let done = cpu::run(move || {
                let result = train_once(&data, &kept, &model, &manifest, &mut ticket);
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

fn train_once(
    data: &tacita_learn::Dataset,
    kept: &std::sync::Mutex<Option<Arc<Trainer>>>,
    model: &GlobalModel,
    manifest: &CheckedManifest,
    ticket: &mut BudgetTicket,
) -> Result<NoisedUpdate, String> {
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
    let mut rng = random();
    let (config, seed) = (instructions.config(), rng.next_u64());
    let update = match manifest.weighting() {
        None => trainer.train(model, &config, seed),
        Some(weighting) => trainer.train_weighted(model, &config, weighting, seed),
    }
    .map_err(|e| text(&e))?;
    update
        .clip(manifest.encoding())
        .map_err(|e| text(&e))?
        .encode(manifest.headroom(), &mut rng)
        .map_err(|e| text(&e))?
        .noise(ticket, &mut rng)
        .map_err(|e| text(&e))
}
