//! The layout that the reports of ablations share: the question, what the paper found beside what is
//! found here, the figures, the tables, how to read them, where they come from.

use super::figures::Figure;
use super::markdown::table::TextTable;
use super::number::{difference, percent};
use super::page;
use promptshift_numbers::stats::bootstrap::Draws;
use promptshift_numbers::stats::estimate::Estimate;

/// One report.
#[derive(Debug, Clone, PartialEq)]
pub struct Sheet {
    /// Its title.
    pub title: String,
    /// What is asked, in a sentence.
    pub question: String,
    /// What has to be known of the text that was used; nothing for real text.
    pub note: Option<String>,
    /// The paper's conclusions beside ours.
    pub findings: Vec<Finding>,
    /// The figures.
    pub figures: Vec<Figure>,
    /// Tables with words around them, by heading.
    pub sections: Vec<Section>,
    /// How to read it, a line each.
    pub reading: Vec<String>,
    /// Where it comes from, a line each.
    pub origin: Vec<String>,
}

/// A table with words before and after.
#[derive(Debug, Clone, PartialEq)]
pub struct Section {
    /// The heading.
    pub heading: String,
    /// The table.
    pub table: TextTable,
    /// What is to be said about it.
    pub words: String,
}

/// A conclusion of the paper beside what was measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// What the paper says, marked where it is from memory.
    pub paper: &'static str,
    /// What was measured for it.
    pub measured: String,
    /// Whether the two agree.
    pub verdict: Verdict,
}

/// Whether what was measured agrees with the paper.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Verdict {
    /// The interval lies on the paper's side of zero, or of the margin that its words were given.
    Agrees,
    /// It lies on the other.
    Disagrees,
    /// It holds that border.
    Undecided {
        /// The least difference that four of five such studies would tell from none, in [0, 1].
        detectable: f64,
    },
    /// What it takes has not been run.
    Missing,
}

/// Which intervals a verdict goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Population {
    /// Other seeds and other passages.
    SeedsAndPassages,
    /// The trained models as they are, other passages.
    Passages,
}

impl Finding {
    /// What the paper takes to be above zero, measured; `what` names it.
    pub fn positive(
        paper: &'static str,
        what: &str,
        draws: Option<&Draws>,
        population: Population,
    ) -> Finding {
        Finding::of(paper, what, draws, population, Verdict::above_zero)
    }

    /// What the paper takes to be little, measured: less than `margin`, in [0, 1].
    pub fn little(
        paper: &'static str,
        what: &str,
        margin: f64,
        draws: Option<&Draws>,
        population: Population,
    ) -> Finding {
        let what = format!("{what}, little if below {}", percent(margin));
        Finding::of(paper, &what, draws, population, |estimate, detectable| {
            Verdict::below(margin, estimate, detectable)
        })
    }

    fn of(
        paper: &'static str,
        what: &str,
        draws: Option<&Draws>,
        population: Population,
        verdict: impl FnOnce(Estimate, f64) -> Verdict,
    ) -> Finding {
        let Some(draws) = draws else {
            return Finding {
                paper,
                measured: format!("{what}: not run"),
                verdict: Verdict::Missing,
            };
        };
        let draws = match population {
            Population::SeedsAndPassages => draws.clone(),
            Population::Passages => draws.of_these_runs(),
        };
        let estimate = draws.estimate();
        Finding {
            paper,
            measured: format!("{what}: {}", difference(estimate)),
            verdict: verdict(estimate, draws.detectable()),
        }
    }
}

impl Verdict {
    /// That of what the paper takes to be above zero.
    fn above_zero(estimate: Estimate, detectable: f64) -> Verdict {
        match estimate.interval {
            interval if interval.low > 0.0 => Verdict::Agrees,
            interval if interval.high < 0.0 => Verdict::Disagrees,
            _ => Verdict::Undecided { detectable },
        }
    }

    /// That of what the paper takes to be below a margin.
    fn below(margin: f64, estimate: Estimate, detectable: f64) -> Verdict {
        match estimate.interval {
            interval if interval.high < margin => Verdict::Agrees,
            interval if interval.low > margin => Verdict::Disagrees,
            _ => Verdict::Undecided { detectable },
        }
    }

    fn words(self) -> String {
        match self {
            Verdict::Agrees => "agrees".to_owned(),
            Verdict::Disagrees => "disagrees".to_owned(),
            Verdict::Undecided { detectable } => format!(
                "undecided: {} points would have been seen in four of five such studies",
                percent(detectable)
            ),
            Verdict::Missing => "undecided: not run".to_owned(),
        }
    }
}

impl Sheet {
    /// As markdown of words and tables alone, for a screen.
    pub fn without_figures(&self) -> String {
        let words = Sheet {
            figures: Vec::new(),
            ..self.clone()
        };
        words.markdown("")
    }

    /// As markdown, with figures in `figure_folder`.
    pub fn markdown(&self, figure_folder: &str) -> String {
        let mut text = format!("# {}\n\n", self.title);
        if let Some(note) = &self.note {
            text.push_str(&format!("> {note}\n\n"));
        }
        text.push_str(&format!("**{}**\n\n", self.question));
        if !self.findings.is_empty() {
            text.push_str("## The paper's conclusions beside ours\n\n");
            text.push_str(&self.conclusions().markdown());
            text.push_str(
                "\n[MEM] marks what is from memory of the paper and not checked against its \
                 text.\n\n",
            );
        }
        if !self.figures.is_empty() {
            text.push_str("## Figures\n\n");
        }
        for figure in &self.figures {
            text.push_str(&format!(
                "![{}]({figure_folder}/{})\n\n",
                figure.title, figure.name
            ));
        }
        for section in &self.sections {
            text.push_str(&format!(
                "## {}\n\n{}\n{}\n\n",
                section.heading,
                section.table.markdown(),
                section.words
            ));
        }
        for (heading, lines) in [
            ("How to read it", &self.reading),
            ("Provenance", &self.origin),
        ] {
            text.push_str(&format!("## {heading}\n\n"));
            for line in lines {
                text.push_str(&format!("- {line}\n"));
            }
            text.push('\n');
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
        text
    }

    /// As one HTML page with its figures inside.
    pub fn page(&self) -> String {
        page::page(
            &self.title,
            &self.markdown(""),
            &self.figures,
            page::Tables::Still,
        )
    }

    fn conclusions(&self) -> TextTable {
        let rows = self.findings.iter().map(|finding| {
            vec![
                finding.paper.to_owned(),
                finding.measured.clone(),
                finding.verdict.words(),
            ]
        });
        TextTable {
            words: &[0, 1, 2],
            header: ["the paper", "here, in points [95 %]", "verdict"]
                .map(str::to_owned)
                .to_vec(),
            rows: rows.collect(),
        }
    }
}

/// What is said where the text is generated.
pub(super) fn generated(suite: &str) -> Option<String> {
    (suite == "mini").then(|| {
        "**Generated text, and a model of 1.5 million parameters.** The domains of suite `mini` are \
         written by grammars; the paper's ablations are of T5 from small to XXL on SuperGLUE. What \
         agrees here agrees in small; what does not may be the size's or the text's doing."
            .to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use promptshift_numbers::stats::estimate::Interval;

    #[test]
    fn verdicts_go_by_the_interval() {
        let estimate = |low, high| Estimate {
            value: 0.5 * (low + high),
            interval: Interval { low, high },
        };
        assert_eq!(
            Verdict::above_zero(estimate(0.01, 0.2), 0.1),
            Verdict::Agrees
        );
        assert_eq!(
            Verdict::above_zero(estimate(-0.2, -0.01), 0.1),
            Verdict::Disagrees
        );
        let open = Verdict::above_zero(estimate(-0.1, 0.2), 0.123);
        assert_eq!(
            open.words(),
            "undecided: 12.3 points would have been seen in four of five such studies"
        );

        let below = |low, high| Verdict::below(0.02, estimate(low, high), 0.1);
        assert_eq!(below(-0.01, 0.015), Verdict::Agrees);
        assert_eq!(below(0.03, 0.05), Verdict::Disagrees);
        let detectable = 0.1;
        assert_eq!(below(0.01, 0.05), Verdict::Undecided { detectable });
    }
}
