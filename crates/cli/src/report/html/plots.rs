//! Plots as inline SVG: a title and a description for those who cannot see them, two lines that differ by more than colour,
//! labels at their ends, and no script.

use std::fmt::Write as _;

use maud::{Markup, html};

use super::super::model::Task;

const WIDTH: f64 = 370.0;
const HEIGHT: f64 = 230.0;
const LEFT: f64 = 48.0;
const RIGHT: f64 = 18.0;
const TOP: f64 = 30.0;
const BOTTOM: f64 = 42.0;
/// Points of one line: more would not be seen.
const MAX_POINTS: usize = 400;

/// One line of a plot.
struct Line<'a> {
    name: &'a str,
    points: Vec<(f64, f64)>,
}

/// What a plot shows.
struct Plot<'a> {
    /// Unique within the page.
    id: String,
    title: String,
    /// What a listener must know.
    description: String,
    caption: String,
    across: &'a str,
    /// Powers of ten across.
    logarithmic: bool,
    lines: Vec<Line<'a>>,
    /// A level that is not to be passed, or was promised.
    limit: Option<(String, f64)>,
    /// Whether its name stands below it: where lines are expected above.
    limit_below: bool,
}

/// The plots of one task; those without values are left out.
pub(super) fn of(task: &Task) -> Markup {
    let plots = [
        curve(task),
        spent(task),
        people(task),
        noise(task),
        accuracy(task),
    ];
    html! { div.plots { @for plot in plots.into_iter().flatten() { (draw(&plot)) } } }
}

fn id(task: &Task, what: &str) -> String {
    // The task's name may hold anything printable; its hex is a name that nothing else has.
    format!("{what}-{}", hex::encode(&task.task))
}

fn curve(task: &Task) -> Option<Plot<'_>> {
    let points = |of: &dyn Fn(&super::super::model::Spent) -> Option<f64>| -> Vec<(f64, f64)> {
        let point = |spent| Some((of_delta(spent)?.log10(), of(spent)?));
        task.curve.iter().filter_map(point).collect()
    };
    let server = points(&|spent| Some(spent.epsilon_server?.to_f64()));
    let public = points(&|spent| Some(spent.epsilon_public?.to_f64()));
    let (first, last) = (server.first()?, server.last()?);
    Some(Plot {
        id: id(task, "curve"),
        title: "Epsilon at every delta".to_owned(),
        description: format!(
            "Against the server epsilon rises from {:.2} at delta 10^{:.0} to {:.2} at delta 10^{:.0}.",
            first.1, first.0, last.1, last.0
        ),
        caption: "Every point is an upper bound for all charged rounds together. The smaller the chance of failure delta, the larger the \
                  epsilon that holds."
            .to_owned(),
        across: "delta",
        logarithmic: true,
        lines: vec![
            Line {
                name: "server",
                points: server,
            },
            Line {
                name: "everyone else",
                points: public,
            },
        ],
        limit: None,
        limit_below: false,
    })
}

fn of_delta(spent: &super::super::model::Spent) -> Option<f64> {
    Some(spent.delta?.to_f64())
}

/// Charges are counted from 1.
fn per_charge(task: &Task, of: impl Fn(&super::super::model::Round) -> Option<f64>) -> Vec<(f64, f64)> {
    let rounds = (1u32..).zip(&task.rounds);
    rounds
        .filter_map(|(number, round)| Some((f64::from(number), of(round)?)))
        .collect()
}

fn spent(task: &Task) -> Option<Plot<'_>> {
    let server = per_charge(task, |round| Some(round.spent.epsilon_server?.to_f64()));
    let public = per_charge(task, |round| Some(round.spent.epsilon_public?.to_f64()));
    let last = server.last()?;
    let budget = task.rounds.last()?.budget_epsilon.as_deref();
    let limit = budget.and_then(|text| Some((format!("budget {text}"), text.parse().ok()?)));
    Some(Plot {
        id: id(task, "spent"),
        title: "Epsilon spent, charge by charge".to_owned(),
        description: format!(
            "After {} charges epsilon against the server is {:.2}{}.",
            task.rounds.len(),
            last.1,
            budget.map_or_else(String::new, |budget| format!(", of a budget of {budget}"))
        ),
        caption: "Cumulative, at the delta of each round. What is left is the distance to the budget."
            .to_owned(),
        across: "charge",
        logarithmic: false,
        lines: vec![
            Line {
                name: "server",
                points: server,
            },
            Line {
                name: "everyone else",
                points: public,
            },
        ],
        limit,
        limit_below: false,
    })
}

fn people(task: &Task) -> Option<Plot<'_>> {
    let cohort = per_charge(task, |round| Some(round.cohort as f64));
    let survivors = per_charge(task, |round| Some(round.survivors as f64));
    let round = task.rounds.last()?;
    let minimum = round.minimum_survivors;
    Some(Plot {
        id: id(task, "people"),
        title: "Clients: planned and survived".to_owned(),
        description: format!(
            "In the last round {} of a planned cohort of {} survived; at least {minimum} had to.",
            round.survivors, round.cohort
        ),
        caption: "A sum is released only over at least the minimum of survivors.".to_owned(),
        across: "charge",
        logarithmic: false,
        lines: vec![
            Line {
                name: "planned cohort",
                points: cohort,
            },
            Line {
                name: "survivors",
                points: survivors,
            },
        ],
        limit: Some((format!("minimum {minimum}"), minimum as f64)),
        limit_below: true,
    })
}

fn noise(task: &Task) -> Option<Plot<'_>> {
    let number = |text: &str| text.parse::<f64>().ok().filter(|value| *value > 0.0);
    let planned = per_charge(task, |round| number(&round.planned_noise_multiplier));
    let present = per_charge(task, |round| number(&round.present_noise_multiplier));
    let last = task.rounds.last()?;
    if planned.is_empty() {
        return None;
    }
    Some(Plot {
        id: id(task, "noise"),
        title: "Noise: planned and present".to_owned(),
        description: format!(
            "In the last round the noise unknown to the server had a standard deviation of {} clip norms; {} were planned.",
            last.present_noise_multiplier, last.planned_noise_multiplier
        ),
        caption: "Standard deviation of the noise that the server with its colluders does not know, in clip norms. Below the plan no sum is \
                  released."
            .to_owned(),
        across: "charge",
        logarithmic: false,
        lines: vec![
            Line {
                name: "present",
                points: present,
            },
            Line {
                name: "planned",
                points: planned,
            },
        ],
        limit: None,
        limit_below: false,
    })
}

fn accuracy(task: &Task) -> Option<Plot<'_>> {
    let measured = per_charge(task, |round| {
        round.outcome.as_ref()?.accuracy.as_ref()?.parse().ok()
    });
    let last = measured.last()?;
    Some(Plot {
        id: id(task, "accuracy"),
        title: "Accuracy of the model".to_owned(),
        description: format!(
            "The last accuracy that the server stated is {:.4}, after charge {}.",
            last.1, last.0
        ),
        caption: "As the server states it in the outcome entries; a report cannot recompute it.".to_owned(),
        across: "charge",
        logarithmic: false,
        lines: vec![Line {
            name: "accuracy",
            points: measured,
        }],
        limit: None,
        limit_below: false,
    })
}

fn draw(plot: &Plot<'_>) -> Markup {
    let xs = || {
        plot.lines
            .iter()
            .flat_map(|line| line.points.iter().map(|point| point.0))
    };
    let (mut low, mut high) = (
        xs().fold(f64::INFINITY, f64::min),
        xs().fold(f64::NEG_INFINITY, f64::max),
    );
    if high - low < 1e-9 {
        (low, high) = (low - 0.5, high + 0.5);
    }
    let ys = plot
        .lines
        .iter()
        .flat_map(|line| line.points.iter().map(|point| point.1));
    let top = ys
        .chain(plot.limit.iter().map(|limit| limit.1))
        .fold(0.0, f64::max);
    let step = step_of(top);
    let top = (top / step * 1.0001).ceil().max(1.0) * step;
    let x = move |value: f64| LEFT + (value - low) / (high - low) * (WIDTH - LEFT - RIGHT);
    let y = move |value: f64| HEIGHT - BOTTOM - value / top * (HEIGHT - TOP - BOTTOM);
    let levels: Vec<f64> = (0..=12)
        .map(|i| f64::from(i) * step)
        .filter(|v| *v <= top * 1.0001)
        .collect();
    let (title, description) = (format!("{}-title", plot.id), format!("{}-words", plot.id));
    html! {
        figure {
            svg viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img" aria-labelledby=(format!("{title} {description}")) {
                title id=(title) { (plot.title) }
                desc id=(description) { (plot.description) }
                @for level in &levels {
                    path.grid d=(format!("M{LEFT} {:.1}H{:.1}", y(*level), WIDTH - RIGHT)) {}
                    text.soft x=(LEFT - 6.0) y=(format!("{:.1}", y(*level) + 4.0)) text-anchor="end" { (label(*level, step)) }
                }
                path.axis d=(format!("M{LEFT} {TOP}V{:.1}H{:.1}", HEIGHT - BOTTOM, WIDTH - RIGHT)) {}
                @for (at, words, anchor) in ticks(plot, low, high) {
                    text.soft x=(format!("{:.1}", x(at))) y=(HEIGHT - BOTTOM + 17.0) text-anchor=(anchor) { (words) }
                }
                text.soft x=((LEFT + WIDTH - RIGHT) / 2.0) y=(HEIGHT - 8.0) text-anchor="middle" { (plot.across) }
                @if let Some((words, value)) = &plot.limit {
                    path.limit d=(format!("M{LEFT} {:.1}H{:.1}", y(*value), WIDTH - RIGHT)) {}
                    text.soft x=(LEFT + 5.0) y=(format!("{:.1}", y(*value) + if plot.limit_below { 14.0 } else { -5.0 })) { (words) }
                }
                @for (line, class) in plot.lines.iter().zip(["first", "second"]) {
                    path class=(class) d=(path(&line.points, &x, &y)) {}
                    @if let [only] = line.points.as_slice() {
                        circle class=(format!("{class}-dot")) cx=(format!("{:.1}", x(only.0))) cy=(format!("{:.1}", y(only.1))) r="4" {}
                    }
                }
                (legend(plot))
            }
            figcaption { strong { (plot.title) ". " } (plot.caption) }
        }
    }
}

/// Names above the plot, each beside a piece of its line.
fn legend(plot: &Plot<'_>) -> Markup {
    let mut at = LEFT;
    let entries = plot.lines.iter().zip(["first", "second"]).map(|(line, class)| {
        let from = at;
        at += 34.0 + 8.0 * line.name.len() as f64;
        (from, class, line.name)
    });
    html! {
        @for (from, class, name) in entries {
            path class=(class) d=(format!("M{from} 16h22")) {}
            text class=(format!("{class}-word")) x=(from + 28.0) y="20" { (name) }
        }
    }
}

fn path(points: &[(f64, f64)], x: &impl Fn(f64) -> f64, y: &impl Fn(f64) -> f64) -> String {
    let every = points.len().div_ceil(MAX_POINTS).max(1);
    let last = points.len().saturating_sub(1);
    let mut out = String::new();
    for (index, point) in points.iter().enumerate() {
        if index % every == 0 || index == last {
            let letter = if out.is_empty() { 'M' } else { 'L' };
            // Writing to a string does not fail.
            let _ = write!(out, "{letter}{:.1} {:.1}", x(point.0), y(point.1));
        }
    }
    out
}

fn ticks(plot: &Plot<'_>, low: f64, high: f64) -> Vec<(f64, String, &'static str)> {
    if plot.logarithmic {
        let whole = |at: &i32| f64::from(*at) >= low - 1e-9 && f64::from(*at) <= high + 1e-9;
        let powers = (-18..=0).filter(whole).filter(|at| at % 2 == 0);
        return powers
            .map(|at| (f64::from(at), format!("1e{at}"), "middle"))
            .collect();
    }
    let (first, last) = (low.ceil(), high.floor());
    let middle = ((first + last) / 2.0).floor();
    let mut at = vec![(first, "start"), (middle, "middle"), (last, "end")];
    if last - first < 0.5 {
        at = vec![(first, "middle")];
    } else if middle <= first {
        at.remove(1);
    }
    at.into_iter()
        .map(|(value, anchor)| (value, format!("{value:.0}"), anchor))
        .collect()
}

/// A round step of which three to seven reach up to `top`.
fn step_of(top: f64) -> f64 {
    if top <= 0.0 || !top.is_finite() {
        return 1.0;
    }
    let power = 10f64.powf((top / 4.0).log10().floor());
    let steps = [1.0, 2.0, 2.5, 5.0, 10.0].map(|factor| factor * power);
    steps
        .into_iter()
        .find(|step| top / step <= 5.0)
        .unwrap_or(10.0 * power)
}

fn label(value: f64, step: f64) -> String {
    let places = (0..6).find(|places| {
        let scaled = step * 10f64.powi(*places);
        (scaled - scaled.round()).abs() < 1e-6
    });
    format!("{value:.*}", usize::try_from(places.unwrap_or(6)).unwrap_or(6))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Failure: an axis has one line, or fifty, or labels that repeat.
    #[test]
    fn axes_have_a_few_round_levels() {
        for top in [0.0001, 0.7, 1.0, 3.2, 8.0, 9.99, 10.0, 499.0, 65_535.0] {
            let step = step_of(top);
            let levels = (top / step).ceil();
            assert!((2.0..=6.0).contains(&levels), "{top}: {step}");
            let labels: Vec<_> = (0..4).map(|i| label(f64::from(i) * step, step)).collect();
            assert!(labels.windows(2).all(|pair| pair[0] != pair[1]), "{labels:?}");
        }
        assert_eq!(label(2.5, 0.5), "2.5");
        assert_eq!(label(100.0, 100.0), "100");
    }

    /// Failure: ten thousand rounds make a page of megabytes, or its last point is left out.
    #[test]
    fn a_long_line_is_thinned_and_keeps_its_end() {
        let points: Vec<(f64, f64)> = (0..10_000).map(|i| (f64::from(i), 0.0)).collect();
        let path = path(&points, &|x| x, &|y| y);
        assert!(path.matches('L').count() <= MAX_POINTS, "{}", path.len());
        assert!(path.ends_with("L9999.0 0.0"), "{}", &path[path.len() - 20..]);
    }
}
