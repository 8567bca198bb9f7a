//! The size of a study: how many seeds and scored rows it needs to detect a given difference in gaps, from a pilot's
//! records.

use crate::document::{Block, Document, Table, line};
use crate::error::ReportError;
use crate::number::{capital, count, list, percent};
use crate::resamples::Resamples;
use crate::study::{Study, studies};
use promptshift_numbers::recipe::Method;
use promptshift_numbers::record::folder::StoredRecord;
use promptshift_numbers::stats::power::{MOST_SEEDS, Pilot, Size};

/// Seeds in the table's rows, in addition to the pilot's.
const SEEDS: [usize; 5] = [2, 3, 5, 10, 20];

/// Multiples of the pilot's rows in the table's columns.
const TIMES: [u32; 4] = [1, 2, 4, 8];

/// A table for each method other than model tuning in each study, with the sizes that detect `effect`, a difference
/// of mean gaps in (0, 1].
///
/// # Errors
/// There are no records, some contradict each other, a study has no method with two seeds besides model tuning, or
/// its scores do not vary.
pub fn document(records: &[StoredRecord], effect: f64) -> Result<Document, ReportError> {
    let studies = studies(records, &[])?;
    let mut blocks = Vec::new();
    for study in &studies {
        blocks.extend(of_study(study, effect)?);
    }
    blocks.extend([Block::heading("Assumptions"), Block::List(assumptions())]);
    Ok(Document {
        title: "The size of a study".to_owned(),
        blocks,
    })
}

fn of_study(study: &Study, effect: f64) -> Result<Vec<Block>, ReportError> {
    let setting = &study.cell().setting;
    let resamples = Resamples::of(study);
    let transfer = format!("{} → {}", setting.source, setting.targets.join(", "));
    let pilots: Vec<(Method, Pilot)> = (resamples.methods())
        .filter(|method| !matches!(method, Method::Untuned | Method::Model | Method::Elsewhere))
        .filter_map(|method| {
            let pilot = pilot(&resamples, method, &transfer)?;
            Some(pilot.map(|pilot| (method, pilot)))
        })
        .collect::<Result<_, _>>()?;
    if pilots.is_empty() {
        let seeds = |method: Method| {
            let of_method = study.of(method).len();
            format!("{} with {}", method.title(), count(of_method, "seed"))
        };
        let methods: Vec<String> = resamples
            .methods()
            .filter(|method| !matches!(method, Method::Untuned | Method::Elsewhere))
            .map(seeds)
            .collect();
        return Err(ReportError::Pilot {
            transfer,
            found: match methods.is_empty() {
                true => "neither".to_owned(),
                false => list(&methods),
            },
        });
    }
    let domains = (study.evaluations().iter().zip(&resamples.panels)).map(|(evaluation, panel)| {
        let (rows, passages) = (evaluation.examples, panel.clusters());
        let (rows, passages) = (count(rows, "row"), count(passages, "passage"));
        format!("{} {rows} on {passages}", evaluation.domain)
    });
    let mut blocks = vec![
        Block::Title(format!("The size of a study: {transfer}")),
        Block::Text(format!("Rows × 1 are the pilot's: {}.", list(domains))),
    ];
    for (method, pilot) in pilots {
        blocks.extend([
            Block::Heading(capital(&format!(
                "{} against {}",
                method.title(),
                Method::Model.title()
            ))),
            table(pilot, effect).into(),
            Block::Text(needed(pilot, effect)),
        ]);
    }
    Ok(blocks)
}

/// The pilot for the difference between a method's mean gap and model tuning's; `None` with fewer than two seeds of
/// either.
fn pilot(
    resamples: &Resamples,
    method: Method,
    transfer: &str,
) -> Option<Result<Pilot, ReportError>> {
    let seeds = [method, Method::Model].map(|method| resamples.study.of(method).len());
    let seeds = seeds.into_iter().min().filter(|fewest| *fewest > 1)?;
    let difference = (resamples.mean_gap(method)?).minus(&resamples.mean_gap(Method::Model)?);
    let passages = (resamples.panels.iter().map(|panel| panel.clusters())).min()?;
    let pilot = Pilot::of(&difference, seeds, passages);
    Some(pilot.ok_or_else(|| ReportError::NoVariance {
        transfer: transfer.to_owned(),
        method: method.title().to_owned(),
        passages,
    }))
}

/// The smallest detected difference, by seeds and rows.
fn table(pilot: Pilot, effect: f64) -> Table {
    let mut seeds = SEEDS.to_vec();
    seeds.push(pilot.seeds);
    seeds.sort_unstable();
    seeds.dedup();
    let header = line(
        "detected with 80 % power, in points",
        TIMES.map(|times| format!("rows × {times}")),
    );
    let rows = seeds.into_iter().map(|seeds| {
        let own = if seeds == pilot.seeds {
            " (the pilot's)"
        } else {
            ""
        };
        let found = TIMES.map(|times| {
            let times = f64::from(times);
            let found = pilot.detectable(Size { seeds, times });
            let mark = if found <= effect { "✓ " } else { "" };
            format!("{mark}{}", percent(found))
        });
        line(format!("{}{own}", count(seeds, "seed")), found)
    });
    Table::new(header).rows(rows)
}

/// The numbers of seeds that detect the effect, by rows, and the uncertainty of the pilot.
fn needed(pilot: Pilot, effect: f64) -> String {
    let needed = TIMES.map(|times| {
        let rows = match times {
            1 => "the pilot's rows".to_owned(),
            times => format!("{times} times the rows"),
        };
        match pilot.seeds_needed(effect, f64::from(times)) {
            Some(seeds) => format!("{} with {rows}", count(seeds, "seed")),
            None => format!("more than {MOST_SEEDS} seeds with {rows}"),
        }
    });
    let known = pilot.seed_error();
    format!(
        "✓: {} points are detected in four of five such studies. That takes {}, for each of the two methods. With {} \
         the standard error from seeds may be {:.1} to {:.1} times the pilot's estimate (95 %).",
        percent(effect),
        list(&needed),
        count(pilot.seeds, "seed"),
        known.low,
        known.high
    )
}

fn assumptions() -> Vec<String> {
    [
        "**Detected** means that the report's 95 % interval of the difference of mean gaps, over seeds and passages, \
         excludes zero. The interval accounts for the uncertain variance of few seeds (Student's t).",
        "**More of the same**: the recipe, training rows and targets stay the same; further seeds vary as the \
         pilot's do, and further rows are from further passages with as many questions each. More questions on the \
         same passages help less.",
        "**The pilot's variances** are taken as exact. They are uncertain, especially with few seeds: plan for more \
         than the minimum, or repeat the calculation with more seeds (Browne 1995).",
    ]
    .map(str::to_owned)
    .to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Fixture, assert_has};

    fn text(fixture: &Fixture, effect: f64) -> String {
        let document = document(&fixture.records(), effect).expect("a pilot");
        document.markdown("")
    }

    #[test]
    fn detected_differences_are_ticked() {
        let fixture = Fixture::one_target().of_seeds(0..5);
        let records = fixture.records();
        let studies = studies(&records, &[]).expect("they belong together");
        let pilot = pilot(&Resamples::of(&studies[0]), Method::Prompt, "")
            .expect("five seeds")
            .expect("scores that vary");
        assert_eq!((pilot.seeds, pilot.passages), (5, 80));
        let (seeds, times) = (5, 1.0);
        let found = pilot.detectable(Size { seeds, times });
        let row = |effect: f64| {
            let text = text(&fixture, effect);
            let row = (text.lines()).find(|line| line.contains("the pilot's) |"));
            row.expect("a row for the pilot").to_owned()
        };
        let cell = percent(found);
        assert!(row(found + 0.001).contains(&format!("| ✓ {cell} |")));
        assert!(row(found - 0.001).contains(&format!("| {cell} |")));
        // The number of seeds in words is the smallest that detects it.
        let needed = pilot.seeds_needed(found, 1.0).expect("five are enough");
        assert!(needed <= 5);
        let words = format!("That takes {needed} seeds with the pilot's rows");
        assert!(text(&fixture, found).contains(&words));
    }

    #[test]
    fn an_effect_that_no_number_of_seeds_detects_is_reported() {
        let words = text(&Fixture::one_target(), 0.001);
        assert_has(&words, "more than 100 seeds with the pilot's rows");
        assert!(!words.contains("✓ "), "{words}");
    }

    #[test]
    fn scores_that_do_not_vary_are_an_error() {
        let of_one_passage = Fixture::one_target().of_passages(1);
        let error = document(&of_one_passage.records(), 0.05).expect_err("one passage");
        assert_eq!(
            error.to_string(),
            "squad → textbookqa: wanted a pilot whose scores vary between passages or seeds; found that prompt \
             tuning's mean gap − model tuning's does not vary, with 1 passage in the smallest domain"
        );
        let all_wrong = Fixture {
            domains: vec![("squad", [-1.0; 3]), ("textbookqa", [-1.0; 3])],
            ..Fixture::one_target()
        };
        let error = document(&all_wrong.records(), 0.05).expect_err("all wrong");
        let words = error.to_string();
        assert_has(&words, "does not vary, with 80 passages");
    }

    #[test]
    fn overlapping_seeds_are_paired_as_in_the_report() {
        let mut records = Fixture::one_target().of_seeds(0..7).records();
        records.retain(|stored| match stored.record.cell.method {
            Method::Prompt => stored.record.cell.seed < 5,
            Method::Model => stored.record.cell.seed > 1,
            _ => true,
        });
        let studies = studies(&records, &[]).expect("they belong together");
        let resamples = Resamples::of(&studies[0]);
        let pilot = pilot(&resamples, Method::Prompt, "")
            .expect("five seeds")
            .expect("scores that vary");
        let gaps = [Method::Prompt, Method::Model].map(|method| {
            let [source, target] = [0, 1].map(|domain| resamples.by_seed(domain, method));
            let pairs = source.expect("runs").into_iter().zip(target.expect("runs"));
            pairs
                .map(|(source, target)| source - target)
                .collect::<Vec<f64>>()
        });
        // Each run's contribution to its method's mean; both methods have seeds 2, 3 and 4.
        let parts = gaps.map(|gaps| {
            let mean = gaps.iter().sum::<f64>() / 5.0;
            let parts = gaps.iter().map(|gap| (gap - mean) / 20.0_f64.sqrt());
            parts.collect::<Vec<f64>>()
        });
        let by_seed = (0..7_usize).map(|seed| {
            let model = seed.checked_sub(2).and_then(|place| parts[1].get(place));
            parts[0].get(seed).unwrap_or(&0.0) - model.unwrap_or(&0.0)
        });
        let wanted: f64 = by_seed.map(|part| part * part).sum();
        let apart = (pilot.between_seeds / wanted - 1.0).abs();
        assert!(apart < 1e-9, "{pilot:?}, {wanted}");
    }

    #[test]
    fn one_seed_is_an_error() {
        let fixture = Fixture::one_target().of_seeds([0]);
        let error = document(&fixture.records(), 0.05).expect_err("one seed");
        assert_eq!(
            error.to_string(),
            "squad → textbookqa: wanted at least two seeds of model tuning and of another method, since one seed \
             shows no variance between seeds; found prompt tuning with 1 seed and model tuning with 1 seed"
        );
    }
}
