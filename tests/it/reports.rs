//! The committed reports are what their records say.

use std::path::{Path, PathBuf};

use promptshift::record::store::find;
use promptshift::report::render;

fn committed() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("reports");
    let mut found: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("reports/ is committed")
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.is_dir())
        .collect();
    found.sort();
    found
}

#[test]
fn committed_reports_are_rendered_again_byte_for_byte() {
    let reports = committed();
    assert!(!reports.is_empty(), "no report is committed");
    for folder in reports {
        let records = find(&folder).expect("records beside the report");
        let report = render(&records, "figures").expect("they belong together");
        let file = folder.join("report.md");
        let written = std::fs::read_to_string(&file).expect("report.md");
        let name = file.display();
        assert!(
            report.markdown == written,
            "{name} is not what its records say: run `promptshift report {}`",
            folder.display()
        );
        for figure in report.figures {
            let file = folder.join("figures").join(&figure.name);
            let written = std::fs::read_to_string(&file).expect("a figure");
            assert!(figure.svg == written, "{} has changed", file.display());
        }
    }
}
