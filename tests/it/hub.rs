//! `promptshift fetch` against a small Hub on loopback.

use std::path::{Path, PathBuf};
use std::time::Duration;

use assert_cmd::Command;
use predicates::prelude::*;
use predicates::str::contains;
use promptshift::domain::Split;
use promptshift::domain::card::bundled;
use promptshift::hub::{
    self, Arrival, HubError, Kind, Network, RemoteFile, Settings, Source, Wanted,
};
use tempfile::TempDir;

use super::hub_server::{Fault, HubServer, Request, git_sha1, sha256};

const CONFIG: &[u8] = b"{\"model_type\": \"t5\"}\n";
const SPIECE: &[u8] = b"not a real one, and no test reads it";

/// Weights that are transferred in more than one piece.
fn weights() -> Vec<u8> {
    (0..400_000_u32)
        .map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect()
}

/// A Hub with a model in the layout of google's lm-adapt repositories, and an empty home.
fn with_model() -> (HubServer, TempDir) {
    let hub = HubServer::start();
    hub.put("models/o/t5", "config.json", CONFIG, false);
    hub.put("models/o/t5", "README.md", b"# T5\n", false);
    hub.put("models/o/t5", "spiece.model", SPIECE, true);
    hub.put("models/o/t5", "pytorch_model.bin", &weights(), true);
    (hub, tempfile::tempdir().expect("a temporary folder"))
}

/// The program with the Hub and a home folder, and no other settings.
fn promptshift(endpoint: &str, home: &TempDir) -> Command {
    let mut command = Command::cargo_bin("promptshift").expect("cargo builds it");
    command.current_dir(home.path());
    for variable in ["HF_TOKEN", "HF_HUB_OFFLINE", "HF_HUB_DOWNLOAD_TIMEOUT"] {
        command.env_remove(variable);
    }
    for proxy in ["ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY"] {
        command.env_remove(proxy).env_remove(proxy.to_lowercase());
    }
    command
        .env("HF_HOME", home.path())
        .env("HF_ENDPOINT", endpoint);
    command
}

fn fetch(hub: &HubServer, home: &TempDir) -> Command {
    let mut command = promptshift(&hub.address(), home);
    command.args(["fetch", "--model", "o/t5"]);
    command
}

fn place(home: &TempDir) -> PathBuf {
    home.path().join("hub/models--o--t5")
}

fn snapshot(hub: &HubServer, home: &TempDir) -> PathBuf {
    place(home).join("snapshots").join(hub.commit())
}

/// The names in a folder; none if it does not exist.
fn names(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut names: Vec<String> = entries
        .map(|entry| {
            entry
                .expect("readable")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    names.sort();
    names
}

fn is_whole(hub: &HubServer, home: &TempDir) {
    let snapshot = snapshot(hub, home);
    assert_eq!(
        names(&snapshot),
        ["config.json", "pytorch_model.bin", "spiece.model"]
    );
    let read = |name: &str| std::fs::read(snapshot.join(name)).expect("readable");
    assert!(read("pytorch_model.bin") == weights());
    assert_eq!(
        (
            read("config.json").as_slice(),
            read("spiece.model").as_slice()
        ),
        (CONFIG, SPIECE)
    );
    let main = std::fs::read_to_string(place(home).join("refs/main")).expect("a reference");
    assert_eq!(main, hub.commit());
    // Only files of `huggingface_hub` are left in its folder.
    assert_eq!(names(&place(home)), ["blobs", "refs", "snapshots"]);
}

/// Asserts that nothing could be mistaken for this blob's file, or for a fetched model.
fn has_no(blob: &str, home: &TempDir) {
    let place = place(home);
    assert!(!names(&place.join("blobs")).contains(&blob.to_string()));
    assert_eq!(names(&place.join("refs")), [] as [String; 0]);
    let model = Source::model("o/t5").expect("a name");
    assert_eq!(hub::cached(&model, &home.path().join("hub")), None);
}

fn starts(requests: &[Request]) -> Vec<usize> {
    let start = |request: &Request| {
        let range = request.range.as_deref().expect("every download gives one");
        let range = range.strip_prefix("bytes=").expect("in bytes");
        range.trim_end_matches('-').parse().expect("a number")
    };
    requests.iter().map(start).collect()
}

#[test]
fn a_model_is_fetched_into_the_standard_cache() {
    let (hub, home) = with_model();
    fetch(&hub, &home)
        .assert()
        .success()
        .stdout(format!("{}\n", snapshot(&hub, &home).display()))
        .stderr(contains("o/t5: 3 files").and(contains("downloaded")));
    is_whole(&hub, &home);
    let mut blobs = vec![git_sha1(CONFIG), sha256(SPIECE), sha256(&weights())];
    blobs.sort();
    assert_eq!(names(&place(&home).join("blobs")), blobs);
    #[cfg(unix)]
    assert_eq!(
        std::fs::read_link(snapshot(&hub, &home).join("config.json")).expect("a link"),
        Path::new("../../blobs").join(git_sha1(CONFIG))
    );
    assert_eq!(hub.bodies().len(), 3);

    // Existing files are not requested again; the cached files are checked.
    fetch(&hub, &home)
        .arg("--quiet")
        .assert()
        .success()
        .stdout(format!("{}\n", snapshot(&hub, &home).display()))
        .stderr("");
    let asked = hub.requests();
    assert_eq!(asked.len(), 1);
    assert!(asked[0].path.starts_with("/api/models/o/t5/revision/main"));
}

#[test]
fn a_new_commit_shares_what_did_not_change() {
    let (hub, home) = with_model();
    fetch(&hub, &home).assert().success();
    hub.move_to(&"d".repeat(40));
    hub.bodies();
    fetch(&hub, &home)
        .assert()
        .success()
        .stderr(contains("all in the cache already"));
    assert_eq!(hub.bodies(), []);
    is_whole(&hub, &home);
}

#[test]
fn a_broken_connection_is_resumed_where_it_broke() {
    let (hub, home) = with_model();
    // The configuration and the tokenizer come first, each in one response.
    hub.fail(&[Fault::BreaksOffAfter(1000), Fault::BreaksOffAfter(10)]);
    fetch(&hub, &home).assert().success();
    is_whole(&hub, &home);

    let home = tempfile::tempdir().expect("a temporary folder");
    hub.requests();
    let whole = Fault::BreaksOffAfter(usize::MAX);
    hub.fail(&[
        whole,
        whole,
        Fault::BreaksOffAfter(100_000),
        Fault::BreaksOffAfter(50_000),
    ]);
    fetch(&hub, &home).assert().success();
    is_whole(&hub, &home);
    assert_eq!(starts(&hub.bodies())[2..], [0, 100_000, 150_000]);

    // The last attempt succeeds if it completes the file.
    let home = tempfile::tempdir().expect("a temporary folder");
    let breaks = Fault::BreaksOffAfter(90_000);
    hub.fail(&[whole, whole, breaks, breaks, breaks, breaks]);
    fetch(&hub, &home).assert().success();
    is_whole(&hub, &home);
}

#[test]
fn an_interrupted_fetch_resumes() {
    let (hub, home) = with_model();
    let whole = Fault::BreaksOffAfter(usize::MAX);
    let breaks = Fault::BreaksOffAfter(60_000);
    hub.fail(&[whole, whole, breaks, breaks, breaks, breaks, breaks]);
    fetch(&hub, &home).assert().code(1).stdout("").stderr(
        contains("pytorch_model.bin: the download stopped at 300000 of 400000 bytes")
            .and(contains("the same command resumes")),
    );
    has_no(&sha256(&weights()), &home);
    hub.requests();
    fetch(&hub, &home)
        .assert()
        .success()
        .stderr(contains("1 downloaded, the others"));
    assert_eq!(starts(&hub.bodies()), [300_000]);
    is_whole(&hub, &home);
}

#[test]
fn an_overloaded_hub_is_asked_again() {
    let (hub, home) = with_model();
    let whole = Fault::BreaksOffAfter(usize::MAX);
    let breaks = Fault::BreaksOffAfter(60_000);
    hub.fail(&[whole, whole, breaks, Fault::IsOverloaded]);
    fetch(&hub, &home).assert().success();
    is_whole(&hub, &home);
    assert_eq!(starts(&hub.bodies())[2..], [0, 60_000]);

    let home = tempfile::tempdir().expect("a temporary folder");
    hub.fail(&[Fault::IsOverloaded; 9]);
    fetch(&hub, &home)
        .assert()
        .code(1)
        .stdout("")
        .stderr(contains("config.json: the Hub answered 503, 'try again'"));
    has_no(&git_sha1(CONFIG), &home);
}

#[test]
fn a_silent_hub_times_out() {
    let (hub, home) = with_model();
    let whole = Fault::BreaksOffAfter(usize::MAX);
    hub.fail(&[whole, whole, Fault::FallsSilent]);
    fetch(&hub, &home)
        .env("HF_HUB_DOWNLOAD_TIMEOUT", "2")
        .assert()
        .code(1)
        .stderr(contains(
            "pytorch_model.bin: nothing came from the Hub for 2 s",
        ));
    has_no(&sha256(&weights()), &home);
    hub.requests();
    fetch(&hub, &home).assert().success();
    assert!(starts(&hub.bodies())[0] > 100_000);
    is_whole(&hub, &home);
}

/// A large file by its SHA-256, a small one by git's hash.
#[test]
fn a_damaged_file_is_discarded() {
    let whole = Fault::BreaksOffAfter(usize::MAX);
    for (faults, file, blob) in [
        (vec![Fault::IsDamaged], "config.json", git_sha1(CONFIG)),
        (
            vec![whole, Fault::IsDamaged],
            "spiece.model",
            sha256(SPIECE),
        ),
        (
            vec![whole, whole, Fault::IsDamaged],
            "pytorch_model.bin",
            sha256(&weights()),
        ),
    ] {
        let (hub, home) = with_model();
        hub.fail(&faults);
        fetch(&hub, &home).assert().code(1).stdout("").stderr(
            contains(format!("{file}: wanted "))
                .and(contains(&blob))
                .and(contains("damaged")),
        );
        has_no(&blob, &home);
        let left = place(&home).join("incoming");
        assert!(
            !names(&left)
                .iter()
                .any(|name| *name == blob || name.ends_with(".part"))
        );
        fetch(&hub, &home).assert().success();
        is_whole(&hub, &home);
    }
}

#[test]
fn a_damaged_partial_file_is_not_resumed() {
    let (hub, home) = with_model();
    let left = place(&home).join("incoming");
    let part = left.join(format!("{}.part", sha256(&weights())));
    for remainder in [vec![7; 1000], vec![7; 400_000], vec![7; 500_000]] {
        std::fs::create_dir_all(&left).expect("made");
        std::fs::write(&part, remainder).expect("written");
        fetch(&hub, &home).assert().success();
        is_whole(&hub, &home);
        std::fs::remove_dir_all(place(&home)).expect("removed");
    }

    // The file was complete, and the program was killed before moving it.
    hub.requests();
    std::fs::create_dir_all(&left).expect("made");
    std::fs::write(&part, weights()).expect("written");
    fetch(&hub, &home).assert().success();
    is_whole(&hub, &home);
    assert_eq!(hub.bodies().len(), 2);
}

#[test]
fn a_download_from_a_server_without_ranges_starts_again() {
    let (hub, home) = with_model();
    let whole = Fault::BreaksOffAfter(usize::MAX);
    let breaks = Fault::BreaksOffAfter(100_000);
    hub.fail(&[whole, whole, breaks, Fault::IgnoresTheRange]);
    fetch(&hub, &home).assert().success();
    is_whole(&hub, &home);
}

#[test]
fn a_file_damaged_in_the_cache_is_fetched_again() {
    let (hub, home) = with_model();
    fetch(&hub, &home).assert().success();
    let blob = place(&home).join("blobs").join(sha256(&weights()));
    std::fs::write(&blob, b"PK\x03\x04").expect("written");
    fetch(&hub, &home)
        .assert()
        .success()
        .stderr(contains("pytorch_model.bin: damaged in the cache").and(contains("1 downloaded")));
    is_whole(&hub, &home);
}

#[test]
fn denied_access_is_explained() {
    let (hub, home) = with_model();
    hub.require("hf_right");
    fetch(&hub, &home).assert().code(1).stdout("").stderr(
        contains("o/t5: the Hub refused it (401")
            .and(contains("Invalid username or password"))
            .and(contains("set HF_TOKEN"))
            .and(contains(format!("{}/o/t5", hub.address()))),
    );
    fetch(&hub, &home)
        .env("HF_TOKEN", "hf_wrong")
        .assert()
        .code(1)
        .stderr(contains("the token of HF_TOKEN is wrong").and(contains("hf_wrong").not()));
    std::fs::write(home.path().join("token"), "hf_stale\n").expect("written");
    let file = home.path().join("token").display().to_string();
    fetch(&hub, &home)
        .assert()
        .code(1)
        .stderr(contains(format!("the token of {file} is wrong")));
    assert_eq!(names(&home.path().join("hub")), [] as [String; 0]);
    fetch(&hub, &home)
        .env("HF_TOKEN", "hf_right")
        .assert()
        .success();
    is_whole(&hub, &home);
}

#[test]
fn what_is_missing_on_the_hub_is_named() {
    let (hub, home) = with_model();
    let fetch = |arguments: &[&str]| {
        let mut command = promptshift(&hub.address(), &home);
        command.arg("fetch").args(arguments).assert().stdout("")
    };
    fetch(&["--model", "o/t6"]).code(1).stderr(
        contains("o/t6: the Hub has no such model (404, 'Repository not found')")
            .and(contains(format!("{}/o/t6", hub.address()))),
    );
    fetch(&["o/t5", "--revision", "v9"])
        .code(1)
        .stderr(contains("o/t5: the Hub has no such revision 'v9' of it"));
    hub.put("models/o/flax", "config.json", CONFIG, false);
    fetch(&["o/flax"]).code(1).stderr(contains(
        "wanted tokenizer.json or spiece.model; it has config.json",
    ));
    fetch(&["t5/"])
        .code(2)
        .stderr(contains("'t5/' is not the name"));
    fetch(&["--model", "../../etc"])
        .code(2)
        .stderr(contains("OWNER/NAME"));
    fetch(&["o/t5", "--revision", "../x"])
        .code(2)
        .stderr(contains("'../x' is not a revision"));
    fetch(&["sqad"])
        .code(2)
        .stderr(contains("unknown domain 'sqad'"));
    fetch(&[]).code(2).stderr(contains("NAME"));
    assert_eq!(names(&home.path().join("hub")), [] as [String; 0]);
}

#[test]
fn offline_mode_is_respected() {
    let (hub, home) = with_model();
    let offline = || {
        let mut command = fetch(&hub, &home);
        command.env("HF_HUB_OFFLINE", "1").assert()
    };
    offline()
        .code(1)
        .stdout("")
        .stderr(contains("o/t5 at revision 'main'").and(contains("unset HF_HUB_OFFLINE")));
    assert_eq!(hub.requests(), []);
    fetch(&hub, &home).assert().success();
    hub.requests();
    offline()
        .success()
        .stdout(format!("{}\n", snapshot(&hub, &home).display()))
        .stderr(contains("the Hub was not contacted"));
    std::fs::remove_file(snapshot(&hub, &home).join("spiece.model")).expect("removed");
    offline().code(1);
    assert_eq!(hub.requests(), []);
}

#[test]
fn an_unreachable_endpoint_is_named() {
    let (hub, home) = with_model();
    let port = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let dead = format!("http://{}", port.local_addr().expect("bound"));
    drop(port);
    let fetch_from = |endpoint: &str| {
        let mut command = promptshift(endpoint, &home);
        command.args(["fetch", "o/t5"]).assert().stdout("")
    };
    fetch_from(&dead).code(1).stderr(
        contains(format!(
            "{dead}/api/models/o/t5/revision/main: can't be reached"
        ))
        .and(contains("HF_ENDPOINT"))
        .and(contains("--model DIR")),
    );
    fetch_from("http://hub.invalid")
        .code(1)
        .stderr(contains("can't be reached"));
    fetch_from("hub.invalid")
        .code(2)
        .stderr(contains("HF_ENDPOINT: wanted an address"));
    fetch(&hub, &home).assert().success();
    fetch_from(&dead)
        .code(1)
        .stderr(contains("use them with HF_HUB_OFFLINE=1"));
}

#[test]
fn a_server_that_is_not_a_hub_is_an_error() {
    let (hub, home) = with_model();
    // A page that is not a listing, without the Hub's fields.
    let endpoint = format!("{}/large/{}?", hub.address(), sha256(SPIECE));
    promptshift(&endpoint, &home)
        .args(["fetch", "o/t5"])
        .assert()
        .code(2);
    hub.move_to("../../../elsewhere");
    fetch(&hub, &home)
        .assert()
        .code(1)
        .stderr(contains("not an answer of a Hugging Face Hub").and(contains("elsewhere")));
    assert_eq!(names(&home.path().join("hub")), [] as [String; 0]);
}

fn settings(hub: &HubServer, home: &TempDir) -> Settings {
    Settings {
        cache: home.path().join("hub"),
        endpoint: hub.address(),
        token: None,
        network: Network::Allowed,
        patience: Duration::from_secs(60),
    }
}

fn parquet(path: &str, sha256: Option<String>) -> Source {
    let file = RemoteFile {
        path: path.to_string(),
        sha256,
    };
    Source::new(Kind::Dataset, "o/squad", "main", Wanted::Files(vec![file])).expect("names")
}

#[test]
fn a_data_set_is_checked_against_its_card() {
    let (hub, home) = with_model();
    const FILE: &str = "plain_text/train-00000-of-00001.parquet";
    hub.put("datasets/o/squad", FILE, b"PAR1 rows PAR1", true);
    hub.put("datasets/o/squad", "README.md", b"rows", false);
    let settings = settings(&hub, &home);
    let fetch = |source: &Source| hub::fetch(source, &settings, &mut |_| {});

    let other = fetch(&parquet(FILE, Some(sha256(b"other rows")))).expect_err("another file");
    assert!(matches!(other, HubError::Changed { .. }), "{other}");
    assert!(
        other.to_string().contains(&sha256(b"other rows")),
        "{other}"
    );
    // The Hub gives no SHA-256 for a small file: it is known once the file has been fetched.
    let small = fetch(&parquet("README.md", Some(sha256(b"other rows")))).expect_err("another");
    assert!(matches!(small, HubError::Corrupt { .. }), "{small}");
    assert_eq!(hub.bodies().len(), 1);
    let none = fetch(&parquet("test.parquet", None)).expect_err("no such file");
    let none = none.to_string();
    assert!(
        none.contains("no file 'test.parquet': it has README.md, plain_text"),
        "{none}"
    );

    let right = parquet(FILE, Some(sha256(b"PAR1 rows PAR1")));
    assert_eq!(hub::cached(&right, &settings.cache), None);
    let fetched = fetch(&right).expect("fetched");
    assert_eq!(fetched.files[0].arrival, Arrival::Downloaded);
    assert_eq!(
        std::fs::read(fetched.folder.join(FILE)).expect("there"),
        b"PAR1 rows PAR1"
    );
    assert_eq!(hub::cached(&right, &settings.cache), Some(fetched.folder));
    assert_eq!(
        hub::cached(&parquet("README.md", None), &settings.cache),
        None
    );
}

#[test]
fn concurrent_fetches_do_not_interfere() {
    let (hub, home) = with_model();
    let settings = settings(&hub, &home);
    let model = Source::model("o/t5").expect("a name");
    let mut busy = None;
    let first = hub::fetch(&model, &settings, &mut |_| {
        busy.get_or_insert_with(|| hub::fetch(&model, &settings, &mut |_| {}));
    });
    assert!(first.is_ok());
    assert!(matches!(busy, Some(Err(HubError::Claim { .. }))));
    is_whole(&hub, &home);
}

#[test]
fn a_fetched_model_can_be_tuned() {
    let (hub, home) = with_model();
    let nano = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/nano");
    for (file, is_large) in [
        ("config.json", false),
        ("tokenizer.json", false),
        ("model.safetensors", true),
    ] {
        let bytes = std::fs::read(nano.join(file)).expect("bundled");
        hub.put("models/o/nano", file, &bytes, is_large);
    }
    let transfer = |model: &str| {
        let mut command = promptshift(&hub.address(), &home);
        command.args(["transfer", "squad->race", "--dry-run", "--model", model]);
        command.assert()
    };
    transfer("o/nano")
        .code(2)
        .stdout("")
        .stderr(contains("model 'o/nano'").and(contains("promptshift fetch --model o/nano")));
    assert_eq!(hub.requests(), []);
    let mut fetch = promptshift(&hub.address(), &home);
    fetch.args(["fetch", "o/nano"]).assert().success();
    hub.requests();
    transfer("o/nano").success().stdout(contains("with o/nano"));
    assert_eq!(hub.requests(), []);
}

/// A miniature's files, published under the names of a real domain's card.
fn publish(hub: &HubServer, name: &str, miniature: &str) {
    let cards = bundled();
    let card = cards.iter().find(|c| c.name == name).expect("a card");
    let repository = &card.source.as_ref().expect("published").repository;
    for split in Split::ALL {
        for file in card.published(split).map_or(&[][..], |split| &split.files) {
            let bytes = std::fs::read(format!(
                "{}/datasets/mini/{miniature}/{split}.parquet",
                env!("CARGO_MANIFEST_DIR")
            ))
            .expect("bundled");
            hub.put(&format!("datasets/{repository}"), file, &bytes, true);
        }
    }
}

#[test]
fn fetched_domains_form_a_suite() {
    let hub = HubServer::start();
    let home = tempfile::tempdir().expect("a temporary folder");
    publish(&hub, "squad", "squad");
    publish(&hub, "squadshifts_amazon", "squad");
    let transfer = |endpoint: &str| {
        let mut command = promptshift(endpoint, &home);
        command.args(["transfer", "squad->squadshifts_amazon", "--suite", "hub"]);
        command.args([
            "--methods",
            "prompt",
            "--seeds",
            "1",
            "--steps",
            "1",
            "--quiet",
        ]);
        command.args([
            "--train-rows",
            "40",
            "--eval-rows",
            "20",
            "--validation-rows",
            "20",
            "--out",
            "out",
        ]);
        command
    };
    let missing = contains("'hub' has no known domain").and(contains("promptshift fetch"));
    transfer(&hub.address()).assert().code(2).stderr(missing);
    promptshift(&hub.address(), &home)
        .args(["fetch", "squad", "squadshifts_amazon"])
        .assert()
        .success()
        .stdout(contains("datasets--rajpurkar--squad"));
    // The Hub is not asked any more.
    transfer("http://127.0.0.1:9")
        .assert()
        .success()
        .stdout(contains("squadshifts_amazon"));
    let record = home.path().join("out/prompt-seed0/record.json");
    let record = std::fs::read_to_string(record).expect("written");
    assert!(record.contains("\"suite\": \"hub\""));
}

/// The paper's transfer, with files in the Hub's layout.
#[test]
fn mrqa_domains_are_read_from_one_repository() {
    let hub = HubServer::start();
    let home = tempfile::tempdir().expect("a temporary folder");
    let name = "google/t5-base-lm-adapt";
    for file in ["config.json", "tokenizer.json", "model.safetensors"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("models/nano")
            .join(file);
        let bytes = std::fs::read(path).expect("bundled");
        hub.put(&format!("models/{name}"), file, &bytes, true);
    }
    publish(&hub, "squad", "squad");
    publish(&hub, "squadshifts_amazon", "squad");
    publish(&hub, "textbookqa", "textbookqa");
    promptshift(&hub.address(), &home)
        .args(["fetch", "squad", "squadshifts_amazon", "textbookqa"])
        .args(["--model", name])
        .assert()
        .success();
    let mrqa = |words: &str| {
        let mut command = promptshift("http://127.0.0.1:9", &home);
        command.args(["transfer", words, "--suite", "mrqa", "--model", name]);
        command
    };
    mrqa("squad->textbookqa")
        .args(["--methods", "prompt", "--seeds", "1", "--steps", "1"])
        .args(["--batch-size", "2", "--prompt-length", "4", "--quiet"])
        .args([
            "--train-rows",
            "8",
            "--eval-rows",
            "4",
            "--validation-rows",
            "4",
            "--out",
            "out",
        ])
        .assert()
        .success()
        .stdout(contains("# squad → textbookqa"));
    let record = home.path().join("out/prompt-seed0/record.json");
    let record = std::fs::read_to_string(record).expect("written");
    assert!(record.contains("\"suite\": \"mrqa\""), "{record}");
    assert!(record.contains(name), "{record}");
    // One repository holds all six.
    mrqa("squad->all")
        .arg("--dry-run")
        .assert()
        .success()
        .stdout(contains(
            "squad->textbookqa,bioasq,race,relation_extraction,duorc,drop on 'mrqa'",
        ));
    mrqa("squad->squadshifts_amazon")
        .assert()
        .code(2)
        .stderr(
            contains("domain 'squadshifts_amazon' is not in the suite 'mrqa': wanted one of squad, textbookqa")
                .and(contains("--suite hub")),
        );
    mrqa("squad->newsqa")
        .assert()
        .code(2)
        .stderr(contains("promptshift fetch newsqa"));
    promptshift("http://127.0.0.1:9", &home)
        .args(["list", "--suite", "mrqa"])
        .assert()
        .success()
        .stdout(contains("squad (rajpurkar/squad)").and(contains("(mrqa-workshop/mrqa)")));
    // The bundled files have fewer rows than the card says; only their discovery is tested.
    promptshift("http://127.0.0.1:9", &home)
        .args(["verify", "textbookqa", "--suite", "mrqa"])
        .assert()
        .code(1)
        .stdout(contains("1503"));
}
