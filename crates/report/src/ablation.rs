//! The report of an ablation: settings that differ in one thing, scored on the same examples.

mod claims;
mod kinds;

pub use claims::{ADAPTED, LABELS, SENTINEL, SPANS, UNIFORM, VOCAB};

use super::baselines::{Above, Baseline, Standing, above, above_fact, constant_run, constants};
use super::document::plain;
use super::document::{Block, Document, MISSING, Table, UNDEFINED};
use super::error::ReportError;
use super::findings::{self, generated};
use super::hardware;
use super::number::{bytes, gap, list, metric_title, share, spread, whole};
use super::settings::{self, Scores, Series, Varied};
use super::study::{Study, samples, studies};
use kinds::{question, title, varied};
use promptshift_numbers::recipe::Method;
use promptshift_numbers::record::ablation::{Kind, StoredAblation, Variant};
use promptshift_numbers::record::folder::{End, StoredRecord, Unfinished};
use promptshift_numbers::record::{Cell, Evaluation};
use promptshift_numbers::score::Metric;
use promptshift_numbers::stats::bootstrap::{Bootstrap, Draws};
use promptshift_numbers::stats::estimate::{mean, standard_deviation};
use promptshift_numbers::stats::panel::Panel;

/// One method in one setting.
struct Row<'a> {
    setting: &'a Variant,
    method: Method,
    records: Vec<&'a StoredRecord>,
}

/// All rows with their scores, from the same resamples of the same passages.
struct Settings<'a> {
    rows: Vec<Row<'a>>,
    metric: Metric,
    /// Source first.
    domains: Vec<String>,
    floors: Vec<Option<f64>>,
    /// The classes of the source's constant answers.
    constants: Vec<usize>,
    /// `[domain][row]`, behind the rows the constant answers.
    panels: Vec<Panel>,
    draws: Vec<Vec<Option<Draws>>>,
}

/// The report.
///
/// # Errors
/// No setting has records, or records that belong together do not fit together.
pub fn document(stored: &StoredAblation) -> Result<Document, ReportError> {
    let settings = &stored.ablation.settings;
    let kind = stored.ablation.kind;
    let mut rows = Vec::new();
    let mut first: Option<Study> = None;
    for (setting, records) in settings.iter().zip(&stored.records) {
        if records.is_empty() {
            continue;
        }
        for study in studies(records, &[])? {
            if let Some(first) = &first {
                same_examples(first, &study)?;
            }
            for method in Method::ALL {
                let records = study.of(method);
                if !records.is_empty() {
                    rows.push(Row {
                        setting,
                        method,
                        records,
                    });
                }
            }
            first.get_or_insert(study);
        }
    }
    let first = first.ok_or(ReportError::Nothing)?;
    let table = Settings::of(rows, &first);
    let varied = varied(kind, settings);
    let (cell, metric) = (first.cell(), metric_title(table.metric.name()));
    let figure = settings::figure(
        &format!("{}.svg", kind.name()),
        title(kind),
        &varied,
        &table.panels_shown(&varied, metric),
    );
    let missing: Vec<&str> = (settings.iter().zip(&stored.records).zip(&stored.unfinished))
        .filter(|((_, records), unfinished)| records.is_empty() && unfinished.is_empty())
        .map(|((setting, _), _)| setting.folder.as_str())
        .collect();
    let unfinished: Vec<String> = (settings.iter().zip(&stored.unfinished))
        .flat_map(|(setting, cells)| cells.iter().map(|cell| without_record(setting, cell)))
        .collect();
    let mut reading = vec![
        format!(
            "**{metric}** is in percent, mean ± standard deviation over seeds. Intervals are over seeds and \
             passages: Student's t with the variance of {} resamples of whole passages, the same for every setting, and \
             of seeds.",
            whole(Bootstrap::default().resamples as f64)
        ),
        "**Verdicts** are on the interval of the named difference on the source: the finding agrees where the \
         whole interval is on the paper's side of zero (or of the size that counts as small), disagrees where \
         it is on the other side, and is inconclusive otherwise."
            .to_owned(),
        "Every setting is tuned on the source's training rows and its best step chosen on source \
         validation; targets are only scored."
            .to_owned(),
    ];
    if kind == Kind::Scale {
        reading.push(
            "**Models** differ by more than their size where they were pre-trained on other text or for \
             longer."
                .to_owned(),
        );
    }
    for (standing, name, state) in [
        (
            Standing::NotAbove,
            "Not learned",
            "shown not to have learned the source: less than 2 points above the highest baseline",
        ),
        (
            Standing::Open,
            "Learning open",
            "not shown to have learned the source, nor not to have",
        ),
    ] {
        let settings = table.standing(standing);
        if !settings.is_empty() {
            reading.push(format!(
                "**{name}**: {} ({state}). Gaps of these settings, and differences among them, are not informative.",
                list(&settings)
            ));
        }
    }
    if !missing.is_empty() {
        reading.push(format!("**Not run yet**: {}.", list(&missing)));
    }
    if !unfinished.is_empty() {
        reading.push(format!("**Without a record**: {}.", list(&unfinished)));
    }
    let (source, targets) = (&cell.setting.source, list(&cell.setting.targets));
    let title = format!("{}: {source} → {targets}", title(kind));
    let mut blocks = vec![Block::Title(title.clone())];
    blocks.extend(generated(&cell.setting.suite));
    blocks.push(Block::text(format!("**{}**", question(kind))));
    blocks.extend(findings::blocks(&claims::findings(kind, &table, &varied)));
    blocks.push(figure.into());
    blocks.extend(table.scores(metric));
    blocks.extend(table.costs());
    blocks.extend([
        Block::heading("How to read it"),
        Block::List(reading),
        Block::heading("Provenance"),
        Block::List(origin(&first)),
    ]);
    Ok(Document { title, blocks })
}

/// A run that the table lacks, and why.
fn without_record(setting: &Variant, unfinished: &Unfinished) -> String {
    let Cell { method, seed, .. } = &unfinished.cell;
    let end = match &unfinished.end {
        End::Failed { reason } => format!("failed ({})", plain(reason)),
        End::Missing => "unfinished".to_owned(),
    };
    let (folder, method) = (&setting.folder, method.title());
    format!("{folder}, {method}, seed {seed}: {end}")
}

/// That two studies scored the same examples.
fn same_examples(first: &Study, second: &Study) -> Result<(), ReportError> {
    let [one, other] = [first, second].map(|study| study.records()[0]);
    let ids = |stored: &StoredRecord| -> Vec<(String, Vec<String>)> {
        (stored.record.evaluations.iter().zip(&stored.predictions))
            .map(|(evaluation, predictions)| {
                let ids = predictions.iter().map(|p| p.id.clone()).collect();
                (evaluation.domain.clone(), ids)
            })
            .collect()
    };
    if ids(one) == ids(other) {
        return Ok(());
    }
    let described = |stored: &StoredRecord| {
        let sizes: Vec<String> = (stored.record.evaluations.iter())
            .map(|evaluation| format!("{} of {}", evaluation.examples, evaluation.domain))
            .collect();
        sizes.join(", ")
    };
    Err(ReportError::Mixed {
        first: one.folder.clone(),
        second: other.folder.clone(),
        field: "the list of examples".to_owned(),
        found: described(one),
        other: described(other),
    })
}

impl<'a> Settings<'a> {
    fn of(rows: Vec<Row<'a>>, first: &Study) -> Self {
        let evaluations = first.evaluations();
        let metric = Metric::main(evaluations[0].task);
        let golds = &first.records()[0].predictions;
        let given: Vec<Vec<usize>> = (golds.iter())
            .map(|own| constants(metric, &golds[0], own))
            .collect();
        let panels: Vec<Panel> = (given.iter().enumerate())
            .map(|(domain, constants)| {
                let of_row = |row: &Row| {
                    (row.records.iter())
                        .flat_map(|stored| {
                            let seed = stored.record.cell.seed;
                            samples(metric, seed, &stored.predictions[domain])
                        })
                        .collect()
                };
                let constants =
                    (constants.iter()).map(|class| constant_run(metric, *class, &golds[domain]));
                Panel::new(&rows.iter().map(of_row).chain(constants).collect::<Vec<_>>())
            })
            .collect();
        let draws = Bootstrap::default().scores(&panels);
        let floor = |(domain, evaluation): (usize, &Evaluation)| {
            let constants = draws[domain][rows.len()..].iter().flatten();
            constants
                .map(Draws::value)
                .reduce(f64::max)
                .or(evaluation.floor)
        };
        Settings {
            metric,
            domains: evaluations.iter().map(|e| e.domain.clone()).collect(),
            floors: evaluations.iter().enumerate().map(floor).collect(),
            constants: given[0].clone(),
            draws,
            panels,
            rows,
        }
    }

    /// The score of a row on the source, or its mean over targets.
    fn draws(&self, row: usize, on: On) -> Option<Draws> {
        match on {
            On::Source => self.draws[0][row].clone(),
            On::Targets => {
                let targets: Option<Vec<&Draws>> = (self.draws.iter().skip(1))
                    .map(|domain| domain[row].as_ref())
                    .collect();
                Draws::mean(&targets?)
            }
        }
    }

    /// The row of a place and series.
    fn find(&self, place: &str, series: Option<&str>, method: Method) -> Option<usize> {
        self.rows.iter().position(|row| {
            row.setting.place == place
                && series.is_none_or(|series| row.setting.series == series)
                && row.method == method
        })
    }

    /// What tells lines apart: series, method or both.
    fn line(&self, row: &Row) -> String {
        let several_series = (self.rows.iter()).any(|r| r.setting.series != row.setting.series);
        let several_methods = self.rows.iter().any(|r| r.method != row.method);
        match (several_series, several_methods) {
            (true, true) => format!("{}, {}", row.setting.series, row.method.title()),
            (true, false) => row.setting.series.clone(),
            (false, _) => row.method.title().to_owned(),
        }
    }

    fn panels_shown(&self, varied: &Varied, metric: &str) -> Vec<Scores> {
        let mut lines: Vec<String> = Vec::new();
        for row in &self.rows {
            let name = self.line(row);
            if !lines.contains(&name) {
                lines.push(name);
            }
        }
        let floors: Option<Vec<f64>> = self.floors.iter().skip(1).copied().collect();
        let frame = |on: On, name: String, floor| {
            let point = |line: &String, place: &String| {
                let row = (self.rows.iter())
                    .position(|row| self.line(row) == *line && row.setting.place == *place)?;
                Some(self.draws(row, on)?.estimate())
            };
            let series = lines.iter().map(|line| Series {
                runs: Vec::new(),
                name: line.clone(),
                points: varied
                    .places
                    .iter()
                    .map(|place| point(line, place))
                    .collect(),
            });
            Scores {
                name,
                series: series.collect(),
                floor,
            }
        };
        let source = format!("{} (source), {metric}", self.domains[0]);
        let mut frames = vec![frame(On::Source, source, self.floors[0])];
        let targets = match self.domains.get(1..) {
            None | Some([]) => return frames,
            Some([one]) => format!("{one}, {metric}"),
            Some(many) => format!("mean of {} targets, {metric}", many.len()),
        };
        frames.push(frame(
            On::Targets,
            targets,
            floors.and_then(|all| mean(&all)),
        ));
        frames
    }

    /// The tuned rows whose source score stands so to the baselines, where any is known.
    fn standing(&self, wanted: Standing) -> Vec<String> {
        (self.rows.iter().enumerate())
            .filter(|(_, row)| row.method != Method::Untuned)
            .filter(|(at, _)| {
                let above = self.above(*at);
                !above.is_empty() && Standing::of(&above) == wanted
            })
            .map(|(_, row)| format!("{}, {}", row.setting.place, self.line(row)))
            .collect()
    }

    /// A row's source score minus that of each baseline: the untuned backbone of its setting, constant answers or a
    /// random fact.
    fn above(&self, row: usize) -> Vec<Above> {
        let (source, passages) = (&self.draws[0], self.panels[0].clusters());
        let Some(score) = &source[row] else {
            return Vec::new();
        };
        let is_untuned = |other: &Row| {
            other.method == Method::Untuned && other.setting.folder == self.rows[row].setting.folder
        };
        let untuned = self.rows.iter().position(is_untuned);
        let untuned = untuned.map(|untuned| (Baseline::Untuned, &source[untuned]));
        let constants = (self.constants.iter())
            .map(|class| Baseline::Constant(*class))
            .zip(&source[self.rows.len()..]);
        let mut all: Vec<Above> = (untuned.into_iter().chain(constants))
            .filter_map(|(baseline, other)| Some(above(score, baseline, other.as_ref()?, passages)))
            .collect();
        if self.constants.is_empty() {
            all.extend(self.floors[0].map(|fact| above_fact(score, fact, passages)));
        }
        all
    }

    fn scores(&self, metric: &str) -> [Block; 3] {
        let mut header = vec![metric.to_owned()];
        header.push("seeds".to_owned());
        header.push(format!("{} (source)", self.domains[0]));
        header.extend(self.domains.iter().skip(1).cloned());
        let several = self.domains.len() > 1;
        if several {
            header.extend(["mean of targets", "gap [95 %]"].map(str::to_owned));
        }
        let rows = self.rows.iter().enumerate().map(|(at, row)| {
            let seeds: Vec<String> = match row.method {
                Method::Untuned => vec![UNDEFINED.to_owned()],
                _ => (row.records.iter())
                    .map(|stored| stored.record.cell.seed.to_string())
                    .collect(),
            };
            let mut cells = vec![
                format!("{}, {}", row.setting.place, self.line(row)),
                seeds.join(", "),
            ];
            for panel in &self.panels {
                let scores = panel.methods()[at].as_ref().map(|runs| runs.scores());
                cells.push(scores.map_or(MISSING.to_owned(), |scores| {
                    let centre = mean(&scores).unwrap_or(0.0);
                    spread(centre, standard_deviation(&scores))
                }));
            }
            if several {
                let (source, targets) = (self.draws(at, On::Source), self.draws(at, On::Targets));
                let both = source.zip(targets);
                cells.extend(both.map_or(
                    [MISSING, MISSING].map(str::to_owned),
                    |(source, targets)| {
                        [
                            spread(targets.value(), None),
                            gap(source.minus(&targets).estimate()),
                        ]
                    },
                ));
            }
            cells
        });
        Block::section(
            "Scores",
            Table::new(header).rows(rows),
            "Gap: source score − mean of the targets' scores, in points.",
        )
    }

    fn costs(&self) -> [Block; 3] {
        let records = self.rows.iter().flat_map(|row| &row.records);
        let unlike = hardware::unlike(records.copied());
        let mut header = vec![
            "setting",
            "trainable parameters",
            "share of all",
            "steps",
            "best step",
        ];
        if unlike.is_none() {
            header.extend(["training seconds", "peak memory"]);
        }
        let rows = self.rows.iter().filter_map(|row| {
            let runs: Vec<_> = (row.records.iter())
                .filter_map(|stored| stored.record.training.as_ref())
                .collect();
            let first = runs.first()?;
            let over = |of: &dyn Fn(usize) -> f64| {
                (0..runs.len()).map(of).sum::<f64>() / runs.len() as f64
            };
            let peak = runs.iter().map(|run| run.peak_bytes).max()?;
            let mut cells = vec![
                format!("{}, {}", row.setting.place, self.line(row)),
                whole(first.trainable_parameters as f64),
                share(first.trainable_parameters as f64 / first.total_parameters as f64),
                whole(over(&|run| runs[run].steps as f64)),
                whole(over(&|run| runs[run].best_step as f64)),
            ];
            if unlike.is_none() {
                let seconds = over(&|run| runs[run].train_seconds);
                cells.extend([format!("{seconds:.1}"), bytes(peak)]);
            }
            Some(cells)
        });
        Block::section(
            "Cost",
            Table::new(header).rows(rows),
            match &unlike {
                Some(why) => format!("Means over seeds. {why}"),
                None => "Means over seeds; memory is the maximum over seeds.".to_owned(),
            },
        )
    }
}

/// Which score.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum On {
    Source,
    Targets,
}

fn origin(study: &Study) -> Vec<String> {
    let record = &study.records()[0].record;
    let (cell, from) = (&record.cell, &record.provenance);
    let rows = |limit: Option<usize>| limit.map_or("all".to_owned(), |rows| rows.to_string());
    vec![
        format!(
            "promptshift {} ({}), {}, {} threads, {}.",
            from.version, from.revision, from.device, from.threads, from.processor
        ),
        format!(
            "Suite {}, model {}; training rows: {}, rows of each evaluated split: {}.",
            cell.setting.suite,
            cell.setting.model,
            rows(cell.setting.train_rows),
            rows(cell.setting.eval_rows)
        ),
        format!("`{}`", from.command),
    ]
}
