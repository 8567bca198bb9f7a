//! The settings of an ablation, scored on the same examples, with a row for each method in each setting.

use crate::baselines::{Above, Baseline, Standing, above, above_fact, constant_run, constants};
use crate::cost;
use crate::document::{Block, MISSING, Table, UNDEFINED};
use crate::number::{bytes, gap, share, spread, whole};
use crate::settings::{Scores, Series, Varied};
use crate::study::{Study, samples};
use promptshift_numbers::recipe::Method;
use promptshift_numbers::record::Evaluation;
use promptshift_numbers::record::ablation::Variant;
use promptshift_numbers::record::folder::StoredRecord;
use promptshift_numbers::score::Metric;
use promptshift_numbers::stats::bootstrap::{Bootstrap, Draws};
use promptshift_numbers::stats::estimate::{mean, standard_deviation};
use promptshift_numbers::stats::panel::Panel;

/// A method in a setting.
pub(super) struct Row<'a> {
    pub setting: &'a Variant,
    pub method: Method,
    pub records: Vec<&'a StoredRecord>,
}

/// All rows and their scores, from the same resamples of passages.
pub(super) struct Settings<'a> {
    rows: Vec<Row<'a>>,
    pub metric: Metric,
    /// Source first.
    domains: Vec<String>,
    floors: Vec<Option<f64>>,
    /// The classes of the source's constant answers.
    constants: Vec<usize>,
    /// `[domain][row]`, followed by the constant answers.
    panels: Vec<Panel>,
    draws: Vec<Vec<Option<Draws>>>,
}

impl<'a> Settings<'a> {
    pub fn of(rows: Vec<Row<'a>>, first: &Study) -> Self {
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

    /// The score of a row on the source, or averaged over targets.
    pub fn draws(&self, row: usize, on: On) -> Option<Draws> {
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

    /// The row with this place and series.
    pub fn find(&self, place: &str, series: Option<&str>, method: Method) -> Option<usize> {
        self.rows.iter().position(|row| {
            row.setting.place == place
                && series.is_none_or(|series| row.setting.series == series)
                && row.method == method
        })
    }

    /// The name of a row's line: series, method or both, whichever varies.
    fn line(&self, row: &Row) -> String {
        let several_series = (self.rows.iter()).any(|r| r.setting.series != row.setting.series);
        let several_methods = self.rows.iter().any(|r| r.method != row.method);
        match (several_series, several_methods) {
            (true, true) => format!("{}, {}", row.setting.series, row.method.title()),
            (true, false) => row.setting.series.clone(),
            (false, _) => row.method.title().to_owned(),
        }
    }

    pub fn panels_shown(&self, varied: &Varied, metric: &str) -> Vec<Scores> {
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
                points: (varied.places.iter())
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

    /// The names of tuned rows whose source score has this standing to the baselines.
    pub fn standing(&self, wanted: Standing) -> Vec<String> {
        (self.rows.iter().enumerate())
            .filter(|(_, row)| row.method != Method::Untuned)
            .filter(|(at, _)| {
                let above = self.above(*at);
                !above.is_empty() && Standing::of(&above) == wanted
            })
            .map(|(_, row)| format!("{}, {}", row.setting.place, self.line(row)))
            .collect()
    }

    /// A row's source score minus that of each baseline: the untuned backbone in the same setting, constant answers
    /// or a random fact.
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

    pub fn scores(&self, metric: &str) -> [Block; 3] {
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

    pub fn costs(&self) -> [Block; 3] {
        let records = self.rows.iter().flat_map(|row| &row.records);
        let unlike = cost::unlike_hardware(records.copied());
        let columns = "setting | trainable parameters | share of all | steps | best step";
        let mut header: Vec<&str> = columns.split(" | ").collect();
        if unlike.is_none() {
            header.extend(["training seconds", "peak host memory"]);
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
pub(super) enum On {
    Source,
    Targets,
}
