//! `promptshift slurm` on a cluster simulated by four shell scripts, which log their arguments and run jobs locally.
//! tests/slurm uses a real Slurm.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::cells::{STUDY, succeeds};
use crate::ends::{program, results};

const FAKES: [(&str, &str); 4] = [
    (
        "sbatch",
        "echo \"$@\" >>\"$FAKE/sbatch.log\"
if [ -e \"$FAKE/refuses\" ]; then echo 'sbatch: error: invalid partition specified: gpu' >&2; exit 1; fi
n=$(cat \"$FAKE/next\" 2>/dev/null || echo 101); echo $((n + 1)) >\"$FAKE/next\"; echo \"$n\"",
    ),
    ("squeue", "cat \"$FAKE/queue\" 2>/dev/null || true"),
    (
        "scontrol",
        "if [ \"$1\" = show ]; then echo \"MaxArraySize            = $(cat \"$FAKE/max\")\"; else echo \"$@\" >>\"$FAKE/scontrol.log\"; fi",
    ),
    ("srun", "while [ \"${1#--}\" != \"$1\" ]; do shift; done; exec \"$@\""),
];

pub struct Cluster {
    folder: tempfile::TempDir,
}

impl Cluster {
    pub fn new(max_array_size: usize) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, text) in FAKES {
            let path = folder.path().join("bin").join(name);
            fs::create_dir_all(path.parent().expect("bin")).expect("made");
            fs::write(&path, format!("#!/bin/bash\n{text}\n")).expect("written");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("set");
        }
        fs::write(folder.path().join("max"), max_array_size.to_string()).expect("written");
        Cluster { folder }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    fn within(&self, command: &mut Command) -> Output {
        let path = std::env::var("PATH").unwrap_or_default();
        let output = command
            .current_dir(self.path())
            .env(
                "PATH",
                format!("{}:{path}", self.path().join("bin").display()),
            )
            .env("FAKE", self.path())
            .env_remove("PROMPTSHIFT_STORE")
            .env_remove("PROMPTSHIFT_DEVICE")
            .output();
        output.expect("it runs")
    }

    pub fn promptshift(&self, words: &str) -> Output {
        self.within(&mut program(self.path(), words))
    }

    pub fn says(&self, words: &str) -> String {
        let output = self.promptshift(words);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{words}: {said}");
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    /// The arguments that a program of the cluster received, one line per call.
    fn told(&self, program: &str) -> Vec<String> {
        let log = fs::read_to_string(self.path().join(format!("{program}.log")));
        log.unwrap_or_default().lines().map(str::to_owned).collect()
    }

    /// Runs the tasks of a script as Slurm does; returns their exit codes.
    fn run(&self, script: &Path, restarts: usize) -> Vec<Option<i32>> {
        let cells = fs::read_to_string(script.with_extension("cells"));
        let count = cells.map_or(1, |cells| cells.lines().count());
        let run = |index: usize| {
            let mut bash = Command::new("bash");
            bash.arg(script)
                .env("SLURM_ARRAY_JOB_ID", "7")
                .env("SLURM_ARRAY_TASK_ID", index.to_string())
                .env("SLURM_JOB_ID", "7")
                .env("SLURM_CPUS_ON_NODE", "1")
                .env("SLURM_MEM_PER_NODE", "4000")
                .env("SLURM_RESTART_COUNT", restarts.to_string());
            self.within(&mut bash).status.code()
        };
        (0..count).map(run).collect()
    }
}

/// The names of the scripts submitted to sbatch, each with the jobs that it waits for.
fn submitted(told: &[String]) -> Vec<(String, String)> {
    let one = |line: &String| {
        let path = PathBuf::from(line.split(' ').next_back().expect("a script"));
        let name = path
            .file_stem()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        let after = line
            .split("--dependency=")
            .nth(1)
            .map_or("", |rest| rest.split(' ').next().expect("one"));
        (name, after.to_owned())
    };
    told.iter().map(one).collect()
}

fn slurm(rest: &str) -> String {
    format!("slurm {STUDY} --out out {rest}")
}

#[test]
fn missing_pieces_are_submitted_in_order_and_give_the_results_of_the_command() {
    let cluster = Cluster::new(3);
    let flags = "--cells-per-task 1 --tasks-at-a-time 2 --submit -- --partition=gpu --gres=gpu:1 --time=4:00:00";
    let said = cluster.says(&slurm(flags));
    assert!(
        said.contains("11 cells: 0 done, 0 in the queue, 11 to submit"),
        "{said}"
    );
    let wanted = [
        ("searches-1", ""),
        ("baselines-1", ""),
        ("trainings-1", "afterany:101"),
        ("trainings-2", "afterany:101"),
        ("evaluations-1", "afterany:103"),
        ("evaluations-2", "afterany:104"),
        ("report", "afterany:101:102:103:104:105:106"),
    ];
    let wanted = wanted.map(|(name, after)| (name.to_owned(), after.to_owned()));
    assert_eq!(submitted(&cluster.told("sbatch")), wanted);
    // On the command line, variables as SBATCH_PARTITION do not override them.
    for line in cluster.told("sbatch") {
        assert!(
            line.contains(" --partition=gpu --gres=gpu:1 --time=4:00:00 "),
            "{line}"
        );
    }
    let first = cluster.path().join("out/slurm/1");
    let script = fs::read_to_string(first.join("trainings-1.sh")).expect("written");
    for line in [
        "#SBATCH --array=0-2%2",
        "#SBATCH --requeue",
        "#SBATCH --open-mode=append",
        "#SBATCH --signal=USR1@120",
        "#SBATCH --partition=gpu",
        "#SBATCH --gres=gpu:1",
        "#SBATCH --time=4:00:00",
    ] {
        assert!(
            script.lines().any(|found| found == line),
            "{line}: {script}"
        );
    }

    // Everything is queued: nothing is submitted again.
    let tasks = |job: usize, count: usize| {
        (0..count).map(move |at| format!("{job}|{at}|PENDING|Priority\n"))
    };
    let sizes = [(101, 2), (102, 1), (103, 3), (104, 1), (105, 3), (106, 1)];
    let mut queue: String = sizes
        .into_iter()
        .flat_map(|(job, count)| tasks(job, count))
        .collect();
    queue += "107|N/A|PENDING|Dependency\n";
    fs::write(cluster.path().join("queue"), &queue).expect("written");
    let said = cluster.says(&slurm(flags));
    assert!(
        said.contains("0 done, 11 in the queue, 0 to submit"),
        "{said}"
    );
    assert!(said.contains("nothing to submit"), "{said}");
    let said = cluster.says("slurm status out");
    assert!(said.contains("4 waiting"), "{said}");

    // One training is missing: only it is submitted, and a new report after all pending jobs.
    let queue = queue.replace("103|1|PENDING|Priority\n", "");
    fs::write(cluster.path().join("queue"), &queue).expect("written");
    let said = cluster.says(&slurm(flags));
    assert!(
        said.contains("0 done, 10 in the queue, 1 to submit"),
        "{said}"
    );
    let told = submitted(&cluster.told("sbatch"));
    assert_eq!(
        told[7],
        ("trainings-1".to_owned(), "afterany:101".to_owned())
    );
    assert_eq!(told[8].1, "afterany:101:102:103:104:105:106:107:108");
    let cells = fs::read_to_string(cluster.path().join("out/slurm/2/trainings-1.cells"));
    assert_eq!(cells.expect("written"), "training/model-seed0\n");

    for (name, _) in &wanted {
        let codes = cluster.run(&first.join(format!("{name}.sh")), 0);
        assert!(
            codes.iter().all(|code| *code == Some(0)),
            "{name}: {codes:?}"
        );
    }
    fs::remove_file(cluster.path().join("queue")).expect("removed");
    let status: Value =
        serde_json::from_str(&cluster.says("slurm status out --json")).expect("JSON");
    let cells = status["cells"].as_array().expect("a list");
    assert_eq!(cells.len(), 12);
    assert!(cells.iter().all(|cell| cell["state"] == "done"), "{status}");
    assert!(cluster.says(&slurm(flags)).contains("nothing to submit"));
    succeeds(
        cluster.path(),
        &format!("{STUDY} --out plain --store plain-store"),
    );
    assert_eq!(
        results(&cluster.path().join("out")),
        results(&cluster.path().join("plain"))
    );
}

#[test]
fn a_script_requeues_three_times_and_then_reports_the_reason() {
    let cluster = Cluster::new(1001);
    let said = cluster.says(&slurm("-- --time=1:00:00"));
    assert!(
        said.contains("--submit") && cluster.told("sbatch").is_empty(),
        "{said}"
    );
    let script = cluster.path().join("out/slurm/1/trainings-1.sh");
    let text = fs::read_to_string(&script).expect("written");
    // The miniature's four trainings are one task.
    assert!(text.contains("#SBATCH --array=0-0\n"), "{text}");
    let real = text
        .lines()
        .find_map(|line| line.strip_prefix("promptshift="))
        .expect("the program");
    // Replaced by a program that ends with a given code and passes on the script's words.
    let fake = cluster.path().join("fake");
    let end = "#!/bin/bash\nif [ \"$1\" = run ]; then exit \"$(cat \"$FAKE/code\")\"; fi\n";
    fs::write(&fake, format!("{end}exec {real} \"$@\"\n")).expect("written");
    fs::set_permissions(&fake, fs::Permissions::from_mode(0o755)).expect("set");
    let text = text.replace(
        &format!("promptshift={real}"),
        &format!("promptshift={}", fake.display()),
    );
    fs::write(&script, text).expect("written");
    let ends = |code: &str, restarts| {
        fs::write(cluster.path().join("code"), code).expect("written");
        cluster.run(&script, restarts)
    };
    let states = || {
        let status: Value =
            serde_json::from_str(&cluster.says("slurm status out --json")).expect("JSON");
        let cells = status["cells"].as_array().expect("a list").clone();
        let cell = cells
            .iter()
            .find(|cell| cell["name"] == "training/prompt-seed1")
            .expect("one")
            .clone();
        (
            cell["state"].clone(),
            cell["reason"].as_str().unwrap_or("").to_owned(),
        )
    };
    assert_eq!(ends("75", 2), [Some(75)]);
    assert_eq!(cluster.told("scontrol"), ["requeue 7_0"]);
    assert_eq!(states().0, "not_submitted");
    assert_eq!(ends("75", 3), [Some(75)]);
    assert_eq!(cluster.told("scontrol").len(), 1);
    let (state, reason) = states();
    assert_eq!(state, "failed");
    assert!(
        reason.contains("restarted 3 times") && reason.contains("time limit"),
        "{reason}"
    );
    // The first reason is kept until the cell is computed again.
    assert_eq!(ends("137", 0), [Some(137)]);
    assert_eq!(states().1, reason);
    fs::remove_dir_all(cluster.path().join("runs/store/pieces")).expect("removed");
    assert_eq!(ends("137", 0), [Some(137)]);
    let killed = states().1;
    for fact in ["job 7_0", "signal 9 (SIGKILL)", "4000 MB a node", "--mem"] {
        assert!(killed.contains(fact), "{fact}: {killed}");
    }
    let output = cluster.promptshift(&format!("{STUDY} --report-only --out out"));
    assert_eq!(output.status.code(), Some(1));
    let report = fs::read_to_string(cluster.path().join("out/failed-prompt-seed1.json"));
    let report = report.expect("written");
    for fact in ["training/prompt-seed1: Slurm job 7_0", "signal 9 (SIGKILL)"] {
        assert!(report.contains(fact), "{fact}: {report}");
    }
    // Evaluations fail for lack of trainings: their number is said, and not each of them.
    let evaluations = cluster.path().join("out/slurm/1/evaluations-1.sh");
    assert_eq!(cluster.run(&evaluations, 0), [Some(1)]);
    let said = cluster.says("slurm status out");
    assert!(said.contains("training         4: 4 failed"), "{said}");
    assert_eq!(said.matches("signal 9 (SIGKILL)").count(), 4, "{said}");
    assert!(said.contains("4 more failed because they depend"), "{said}");
    fs::remove_dir_all(cluster.path().join("runs/store/pieces")).expect("removed");
    assert_eq!(ends("75", 3), [Some(75)]);
    let output = cluster.promptshift(&format!("{STUDY} --report-only --out out"));
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("restarted 3 times"));
}

/// Two transfers from one source, which share trainings, in a few seconds.
const SWEEP: &str = "[defaults]
methods = [\"prompt\", \"model\"]
seeds = 1
steps = 4
batch-size = 2
train-rows = 8
validation-rows = 4
eval-rows = 4

[[transfer]]
transfer = [\"squad->race\", \"squad->drop\"]
";

#[test]
fn a_sweep_is_one_submission_and_what_its_studies_share_is_computed_once() {
    let cluster = Cluster::new(1001);
    fs::write(cluster.path().join("sweep.toml"), SWEEP).expect("written");
    let line = "slurm run sweep.toml --out out --log-to curves --cells-per-task 1 --submit";
    let said = cluster.says(&format!("{line} -- --time=1:00:00"));
    let lines: Vec<&str> = said.lines().take(2).collect();
    let counts = [
        "5 cells: 0 done, 0 in the queue, 5 to submit",
        "5 cells: 0 done, 0 in the queue, 3 to submit, 2 with a study above",
    ];
    for (line, count) in lines.iter().zip(counts) {
        assert!(line.ends_with(count), "{said}");
    }
    let studies = lines
        .iter()
        .map(|line| line.split(':').next().expect("a name"));
    let studies: Vec<&str> = studies.collect();
    let told = submitted(&cluster.told("sbatch"));
    let wanted = [
        ("baselines-1", ""),
        ("trainings-1", ""),
        ("evaluations-1", "afterany:102"),
        ("report", "afterany:101:102:103"),
        ("baselines-1", ""),
        // What it waits for is computed for the study above.
        ("evaluations-1", "afterany:102"),
        ("report", "afterany:102:105:106"),
    ];
    let wanted = wanted.map(|(name, after)| (name.to_owned(), after.to_owned()));
    assert_eq!(told, wanted);
    let folder = |study: &str| cluster.path().join("out/slurm/1").join(study);
    assert!(!folder(studies[1]).join("trainings-1.sh").exists());
    let script = fs::read_to_string(folder(studies[1]).join("report.sh")).expect("written");
    let log = format!(" --log-to curves/{}", studies[1]);
    assert!(script.contains(&log), "{script}");
    let name = format!("#SBATCH --job-name=promptshift-report-{}", studies[1]);
    assert!(script.lines().any(|line| line == name), "{script}");

    let queue: String = [(101, 1), (102, 2), (103, 2), (105, 1), (106, 2)]
        .into_iter()
        .flat_map(|(job, count)| (0..count).map(move |at| format!("{job}|{at}|PENDING|Priority\n")))
        .chain([104, 107].map(|job| format!("{job}|N/A|PENDING|Dependency\n")))
        .collect();
    fs::write(cluster.path().join("queue"), &queue).expect("written");
    let said = cluster.says(line);
    assert_eq!(
        said.matches("0 done, 5 in the queue, 0 to submit").count(),
        2,
        "{said}"
    );
    assert!(said.contains("There is nothing to submit."), "{said}");
    let said = cluster.says("slurm status out");
    let waiting = said.matches("training         2: 2 waiting").count();
    assert_eq!(
        waiting, 2,
        "each study shows what is computed for both: {said}"
    );

    // One of the shared trainings is gone: it is submitted once, and both reports again.
    let queue = queue.replace("102|1|PENDING|Priority\n", "");
    fs::write(cluster.path().join("queue"), &queue).expect("written");
    let said = cluster.says(line);
    assert!(said.contains("4 in the queue, 1 to submit\n"), "{said}");
    assert!(
        said.contains("4 in the queue, 0 to submit, 1 with a study above"),
        "{said}"
    );
    let told = submitted(&cluster.told("sbatch"));
    let names: Vec<&str> = told[7..].iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["trainings-1", "report", "report"]);
    assert!(told[9].1.contains("108"), "{told:?}");

    for study in &studies {
        for name in ["baselines-1", "trainings-1", "evaluations-1", "report"] {
            let script = folder(study).join(format!("{name}.sh"));
            if script.exists() {
                let codes = cluster.run(&script, 0);
                assert!(
                    codes.iter().all(|code| *code == Some(0)),
                    "{name}: {codes:?}"
                );
            }
        }
    }
    fs::remove_file(cluster.path().join("queue")).expect("removed");
    let status: Value =
        serde_json::from_str(&cluster.says("slurm status out --json")).expect("JSON");
    let cells = status["cells"].as_array().expect("a list");
    assert_eq!(cells.len(), 12);
    assert!(cells.iter().all(|cell| cell["state"] == "done"), "{status}");
    let of_first = cells.iter().filter(|cell| cell["study"] == studies[0]);
    assert_eq!(of_first.count(), 6, "{status}");
    assert!(cluster.says(line).contains("There is nothing to submit."));
    let index = fs::read_to_string(cluster.path().join("out/index.md")).expect("written");
    assert_eq!(
        index
            .matches("/report.md), when its jobs have ended")
            .count(),
        2,
        "{index}"
    );
    let said = cluster.promptshift("run sweep.toml --out plain --store plain-store");
    assert!(said.status.success());
    for study in &studies {
        let of = |out: &str| results(&cluster.path().join(out).join(study));
        assert_eq!(of("out"), of("plain"));
    }
    // A study that is new is submitted alone.
    fs::write(
        cluster.path().join("sweep.toml"),
        SWEEP.replace("drop\"]", "drop\", \"squad->duorc\"]"),
    )
    .expect("written");
    let said = cluster.says(line);
    assert!(
        said.contains("2 done, 0 in the queue, 3 to submit"),
        "{said}"
    );
    let told = submitted(&cluster.told("sbatch"));
    let names: Vec<&str> = told[10..].iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["baselines-1", "evaluations-1", "report"]);
}

#[test]
fn unsupported_requests_are_refused_before_anything_is_submitted() {
    let cluster = Cluster::new(1001);
    for (words, code) in [
        (slurm("--submit -- --array=0-3"), 2),
        (slurm("--submit -- --dependency=singleton"), 2),
        (slurm("--submit -- --signal=B:USR1@60"), 2),
        (slurm("--submit --dry-run"), 2),
        (slurm("--submit --partition slice:1/2"), 2),
        (slurm("--submit --keep none"), 2),
        (slurm("--submit --device cuda"), 2),
        (slurm("--submit --model nonesuch"), 2),
        ("slurm status out".to_owned(), 1),
    ] {
        let output = cluster.promptshift(&words);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{words}: {said}");
        assert!(!said.contains("panicked"), "{said}");
    }
    assert_eq!(cluster.told("sbatch"), Vec::<String>::new());
    fs::write(cluster.path().join("refuses"), "").expect("written");
    let output = cluster.promptshift(&slurm("--submit -- --partition=gpu"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("invalid partition specified: gpu"), "{said}");
    fs::remove_file(cluster.path().join("refuses")).expect("removed");
    let said = cluster.says(&slurm("--submit -- --partition=all"));
    assert!(said.contains("11 to submit"), "{said}");
}
