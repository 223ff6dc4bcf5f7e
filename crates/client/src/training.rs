//! Local training, clipping, encoding and noise.

use std::sync::Arc;

use rand_core::Rng as _;
use tacita_learn::{Dataset, GlobalModel, Instructions, Trainer};
use tacita_privacy::{
    Alongside, BudgetTicket, Contribution, EncodedUpdate, Headroom, LocalFigures, LocalUpdate, NoisedUpdate,
    RecordHeadroom, RecordSample,
};
use tacita_protocol::manifest::CheckedManifest;

use crate::round::ClientError;
use crate::{Client, cpu, random};

const NO_CANARY: &str = "a canary stands for a whole client, and this round protects single records";

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
        let scored = self.held_out.clone().unwrap_or_else(|| data.clone());
        let kept = self.trainer.clone();
        let canary = self
            .hooks
            .canary
            .as_ref()
            .and_then(|canary| canary(&self.name, manifest.fields().round));
        async move {
            let done = cpu::run(move || {
                let encoded = match (canary, manifest.contribution()) {
                    (Some(_), Contribution::Record(_)) => Err(NO_CANARY.to_owned()),
                    (Some(values), Contribution::Client(headroom)) => {
                        planted(values, &manifest).and_then(|update| encoded(update, headroom))
                    }
                    (None, Contribution::Client(headroom)) => {
                        trained((&data, &scored), &kept, &model, &manifest)
                            .and_then(|update| encoded(update, headroom))
                    }
                    (None, Contribution::Record(headroom)) => {
                        sampled(&data, &kept, &model, &manifest, headroom)
                    }
                };
                // The same for whatever a member has to say.
                let noised = encoded.and_then(|update| {
                    let noised = update.noise(&mut ticket, &mut random());
                    noised.map_err(|e| e.to_string())
                });
                (noised, ticket)
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

/// The trainer of this client's data for the model that the manifest names, and how to train.
fn trainer(
    data: &Dataset,
    kept: &std::sync::Mutex<Option<Arc<Trainer>>>,
    model: &GlobalModel,
    manifest: &CheckedManifest,
) -> Result<(Arc<Trainer>, Instructions), String> {
    let text = |e: &dyn std::fmt::Display| e.to_string();
    let instructions = Instructions::from_text(manifest.training()).map_err(|e| text(&e))?;
    if instructions.model != model.spec() {
        return Err("the model received is not the one in the instructions".into());
    }
    let mut slot = kept.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let trainer = match slot.as_ref().filter(|t| t.spec() == model.spec()) {
        Some(trainer) => trainer.clone(),
        None => {
            let made = Arc::new(Trainer::new(model.spec(), data).map_err(|e| text(&e))?);
            *slot = Some(made.clone());
            made
        }
    };
    Ok((trainer, instructions))
}

/// What training on the first data set makes of the model, and how the model received does on the second.
fn trained(
    (data, scored): (&Dataset, &Dataset),
    kept: &std::sync::Mutex<Option<Arc<Trainer>>>,
    model: &GlobalModel,
    manifest: &CheckedManifest,
) -> Result<LocalUpdate, String> {
    let (trainer, instructions) = trainer(data, kept, model, manifest)?;
    let (config, seed) = (instructions.config(), random().next_u64());
    let update = match manifest.terms() {
        None => trainer.train(model, &config, seed),
        Some(terms) => {
            let figures = if terms.metrics().is_some() {
                figures(scored, model)
            } else {
                LocalFigures::default()
            };
            trainer.train_joint(model, &config, terms, figures, seed)
        }
    };
    if trainer.fell_short() {
        // Here, and nowhere else: the server learns no more than from any other round.
        tracing::warn!(
            round = manifest.fields().round,
            "training grew out of all bounds or took too many steps, so this round's update says little: a smaller learning rate or larger \
             batches help"
        );
    }
    update.map_err(|e| e.to_string())
}

/// The records that secret coins choose, each clipped and rounded alone, as one sum. Coins and sample end here.
fn sampled(
    data: &Dataset,
    kept: &std::sync::Mutex<Option<Arc<Trainer>>>,
    model: &GlobalModel,
    manifest: &CheckedManifest,
    headroom: &RecordHeadroom,
) -> Result<EncodedUpdate, String> {
    let (trainer, instructions) = trainer(data, kept, model, manifest)?;
    let config = instructions.config();
    let mut rng = random();
    let records = u32::try_from(trainer.examples()).map_err(|_| "too many records".to_owned())?;
    RecordSample::draw(records, headroom.terms(), &mut rng)
        .encode(headroom, &mut rng, |rows| {
            trainer.record_updates(model, &config, rows)
        })
        .map_err(|e| e.to_string())
}

/// The model received on this client's data. Where it cannot be scored, nothing is said of it, which counts as the worst: whether a client could
/// depends on its data, and must not show.
fn figures(scored: &Dataset, model: &GlobalModel) -> LocalFigures {
    tacita_learn::evaluate(model, scored).map_or_else(|_| LocalFigures::default(), |e| (&e).into())
}

/// A canary, at the largest weight there is.
fn planted(values: Vec<f32>, manifest: &CheckedManifest) -> Result<LocalUpdate, String> {
    let beside = Alongside {
        examples: u64::MAX,
        ..Alongside::default()
    };
    match manifest.terms() {
        None => LocalUpdate::new(values),
        Some(terms) => LocalUpdate::joint(values, terms, beside),
    }
    .map_err(|e| e.to_string())
}

/// Clipping and encoding of one vector for the whole client.
fn encoded(update: LocalUpdate, headroom: &Headroom) -> Result<EncodedUpdate, String> {
    let text = |e: &dyn std::fmt::Display| e.to_string();
    update
        .clip(headroom.encoding())
        .map_err(|e| text(&e))?
        .encode(headroom, &mut random())
        .map_err(|e| text(&e))
}
