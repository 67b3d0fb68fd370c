//! Fetching from the hub, against a server on this machine that speaks as the hub does and misbehaves on order.

#[path = "common/loopback.rs"]
mod loopback;
#[path = "common/parquet_file.rs"]
mod parquet_file;
#[path = "common/toy.rs"]
mod toy;

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;

use image::{ImageFormat, Rgb, RgbImage};
use loopback::{COMMIT, Loopback, Trick, sha256};
use parquet_file::{Row, parquet_file};
use tempfile::TempDir;
use toalign::data::hub::{Event, Hub, Place, Settings, unpack};
use toalign::data::office_home::ClassCounts;

const DATASET: &str = "datasets/flwrlabs/office-home";
const MODEL: &str = "timm/resnet18.tv_in1k";
/// The hub's numbers are these places; the published ones are others.
const HUB_NAMES: [&str; 2] = ["Alarm_Clock", "Drill"];

/// A picture in one colour, as the bytes of a file.
fn picture(red: u8, format: ImageFormat) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    RgbImage::from_pixel(3, 2, Rgb([red, 9, 9])).write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn row(domain: &'static str, label: i64, red: u8, path: Option<&'static str>) -> Row {
    let format = if red < 100 { ImageFormat::Jpeg } else { ImageFormat::Png };
    Row { bytes: picture(red, format), path, domain, label }
}

/// Seven pictures in two files.
fn shards() -> [Vec<u8>; 2] {
    let first = [
        row("Art", 1, 10, Some("00001.jpg")),
        row("Real World", 0, 20, None),
        row("Art", 1, 30, Some("elsewhere/00007.jpg")),
        row("Art", 0, 40, Some("00001.jpg")),
    ];
    let second = [
        row("Clipart", 1, 150, None),
        row("Real World", 0, 160, None),
        // A name that is taken gives way to a number.
        row("Art", 1, 70, Some("00001.jpg")),
    ];
    [parquet_file(&HUB_NAMES, &first), parquet_file(&HUB_NAMES, &second)]
}

fn classes() -> Vec<ClassCounts> {
    let drill = ClassCounts { label: 0, class: "Drill".to_owned(), pictures: [3, 1, 0, 0] };
    let clock = ClassCounts { label: 1, class: "Alarm_Clock".to_owned(), pictures: [1, 0, 0, 2] };
    vec![drill, clock]
}

fn with_dataset() -> Loopback {
    let server = Loopback::start();
    for (number, bytes) in shards().into_iter().enumerate() {
        server.put(DATASET, &format!("data/train-0000{number}-of-00002.parquet"), bytes);
    }
    server
}

/// 3,000 bytes that stand for weights.
fn with_model() -> (Loopback, Vec<u8>) {
    let bytes: Vec<u8> = (0..3000u32).map(|number| (number * 7 % 251) as u8).collect();
    let server = Loopback::start();
    server.put(MODEL, "model.safetensors", bytes.clone());
    (server, bytes)
}

fn settings(server: &Loopback, home: &TempDir) -> Settings {
    Settings {
        endpoint: Some(server.address.clone()),
        cache: Some(home.path().join("hub")),
        pause: Duration::from_millis(1),
        ..Settings::default()
    }
}

fn hub(server: &Loopback, home: &TempDir) -> Hub {
    Hub::new(settings(server, home)).unwrap()
}

fn fetch_model(hub: &Hub) -> toalign::Result<PathBuf> {
    let files = hub.fetch(&Place::model(MODEL, "main"), |path| path == "model.safetensors", &|_| ())?;
    Ok(files[0].clone())
}

fn message(hub: &Hub) -> String {
    fetch_model(hub).unwrap_err().to_string()
}

fn office_home(hub: &Hub, out: &Path) -> toalign::Result<usize> {
    let place = Place::dataset("flwrlabs/office-home", "main");
    unpack::office_home(hub, &place, out, &classes(), &|_| ())
}

/// The pictures below `folder`, by relative path, with their red value.
fn reds(folder: &Path) -> Vec<(String, u8)> {
    let mut found = Vec::new();
    for domain in std::fs::read_dir(folder).unwrap().flatten() {
        for class in std::fs::read_dir(domain.path()).unwrap().flatten() {
            for file in std::fs::read_dir(class.path()).unwrap().flatten() {
                let red = image::open(file.path()).unwrap().to_rgb8().get_pixel(0, 0)[0];
                let path = file.path().strip_prefix(folder).unwrap().display().to_string();
                // A JPEG's colours are rounded.
                found.push((path, (red + 5) / 10 * 10));
            }
        }
    }
    found.sort();
    found
}

/// `toalign` with the environment of somebody who uses the hub.
fn toalign(folder: &TempDir, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    toy::command(folder.path(), arguments).envs(environment.iter().copied()).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn pictures_arrive_in_their_folders_by_the_names_of_their_classes() {
    let (server, home) = (with_dataset(), tempfile::tempdir().unwrap());
    let out = home.path().join("pictures");
    assert_eq!(office_home(&hub(&server, &home), &out).unwrap(), 7);
    let expected = [
        ("Art/Alarm_Clock/00001.jpg", 40),
        ("Art/Drill/00001.jpg", 10),
        ("Art/Drill/00003.jpg", 70),
        ("Art/Drill/00007.jpg", 30),
        ("Clipart/Drill/00001.png", 150),
        ("Real World/Alarm_Clock/00001.jpg", 20),
        ("Real World/Alarm_Clock/00002.png", 160),
    ];
    assert_eq!(reds(&out), expected.map(|(path, red)| (path.to_owned(), red)));
    assert_eq!(std::fs::read(out.join("Art/Drill/00001.jpg")).unwrap(), picture(10, ImageFormat::Jpeg));
    assert_eq!(server.seen().len(), 5, "one description, and two requests for each file");

    // All there: nothing is asked.
    assert_eq!(office_home(&hub(&server, &home), &out).unwrap(), 7);
    assert!(server.seen().is_empty());

    // A picture is missing: the files are in the cache, only their names are asked for again.
    std::fs::remove_file(out.join("Art/Drill/00007.jpg")).unwrap();
    assert_eq!(office_home(&hub(&server, &home), &out).unwrap(), 7);
    assert_eq!(server.seen().len(), 1);
    assert_eq!(reds(&out).len(), 7);
}

#[test]
fn the_cache_is_laid_out_as_the_hubs_tools_expect() {
    let ((server, bytes), home) = (with_model(), tempfile::tempdir().unwrap());
    let path = fetch_model(&hub(&server, &home)).unwrap();
    let root = home.path().join("hub/models--timm--resnet18.tv_in1k");
    assert_eq!(path, root.join("snapshots").join(COMMIT).join("model.safetensors"));
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
    assert_eq!(std::fs::read_to_string(root.join("refs/main")).unwrap(), COMMIT);
    assert_eq!(std::fs::read(root.join("blobs").join(sha256(&bytes))).unwrap(), bytes);
    #[cfg(unix)]
    assert_eq!(std::fs::read_link(&path).unwrap(), Path::new("../../blobs").join(sha256(&bytes)));
}

#[test]
fn an_interrupted_download_goes_on_where_it_stopped() {
    let ((server, bytes), home) = (with_model(), tempfile::tempdir().unwrap());
    // Storage breaks off after 1,000 bytes, then is out of order until the program gives up.
    server.order("signature", 1, Trick::Cut(1000));
    server.order("signature", 99, Trick::Status(503, "Slow down", None));
    let failure = message(&hub(&server, &home));
    assert!(failure.contains("found 503 Service Unavailable: Slow down"), "{failure}");
    server.behave();
    server.seen();
    let path = fetch_model(&hub(&server, &home)).unwrap();
    assert_eq!(std::fs::read(path).unwrap(), bytes);
    let ranges: Vec<_> = server.seen().into_iter().filter(|request| request.at_storage).collect();
    assert_eq!(ranges.len(), 1);
    assert_eq!(ranges[0].range.as_deref(), Some("bytes=1000-"));
}

#[test]
fn a_connection_that_breaks_again_and_again_still_arrives() {
    let ((server, bytes), home) = (with_model(), tempfile::tempdir().unwrap());
    server.order("signature", 11, Trick::Cut(250));
    assert_eq!(std::fs::read(fetch_model(&hub(&server, &home)).unwrap()).unwrap(), bytes);
    server.seen();

    let home = tempfile::tempdir().unwrap();
    server.order("signature", 99, Trick::Cut(0));
    assert_eq!(
        message(&hub(&server, &home)).lines().last().unwrap(),
        "  what to do: check the network, then give the same command again; it goes on where it stopped"
    );
    assert_eq!(server.seen().into_iter().filter(|request| request.at_storage).count(), 5);
}

#[test]
fn a_server_without_ranges_begins_anew() {
    let ((server, bytes), home) = (with_model(), tempfile::tempdir().unwrap());
    server.order("signature", 1, Trick::Cut(1000));
    server.order("signature", 99, Trick::NoRanges);
    assert_eq!(std::fs::read(fetch_model(&hub(&server, &home)).unwrap()).unwrap(), bytes);
}

#[test]
fn a_file_of_the_wrong_size() {
    let ((server, _), home) = (with_model(), tempfile::tempdir().unwrap());
    server.order("signature", 1, Trick::Short(2000));
    assert_eq!(
        message(&hub(&server, &home)),
        "timm/resnet18.tv_in1k/model.safetensors: expected 3000 bytes, as the hub tells, found 2000 bytes\n  \
         what to do: give the same command again later; if this comes back, change HF_ENDPOINT or --revision"
    );
    fetch_model(&hub(&server, &home)).unwrap();
}

#[test]
fn a_file_with_the_wrong_checksum() {
    let ((server, bytes), home) = (with_model(), tempfile::tempdir().unwrap());
    server.order("signature", 1, Trick::Damaged);
    let mut damaged = bytes.clone();
    damaged[0] ^= 1;
    assert_eq!(
        message(&hub(&server, &home)),
        format!(
            "timm/resnet18.tv_in1k/model.safetensors: expected the SHA-256 {}, found {}\n  \
             what to do: give the same command again to fetch the file anew; if this comes back, change HF_ENDPOINT",
            sha256(&bytes),
            sha256(&damaged)
        )
    );
    // Nothing of it is kept.
    server.seen();
    assert_eq!(std::fs::read(fetch_model(&hub(&server, &home)).unwrap()).unwrap(), bytes);
    assert!(server.seen().iter().all(|request| request.range.is_none()));
}

#[test]
fn what_may_not_be_read_or_is_not_there() {
    let ((server, _), home) = (with_model(), tempfile::tempdir().unwrap());
    server.order("/api/", 1, Trick::Status(403, "Access to this repository is restricted", None));
    assert_eq!(
        message(&hub(&server, &home)),
        "timm/resnet18.tv_in1k: expected leave to read this repository, \
         found 403 Forbidden: Access to this repository is restricted\n  \
         what to do: accept its conditions on its page, then set HF_TOKEN to a token of that account"
    );
    let elsewhere = hub(&server, &home).fetch(&Place::model("timm/absent", "main"), |_| true, &|_| ());
    assert_eq!(
        elsewhere.unwrap_err().to_string(),
        "timm/absent: expected a repository, revision and file that exist, \
         found 404 Not Found: Repository not found\n  what to do: check --repo, --revision and HF_ENDPOINT"
    );
    let empty = hub(&server, &home).fetch(&Place::model(MODEL, "main"), |path| path == "absent", &|_| ());
    assert_eq!(
        empty.unwrap_err().to_string(),
        "timm/resnet18.tv_in1k: expected a repository with the wanted files, found none of them\n  \
         what to do: check --repo and --revision"
    );
    assert_eq!(server.seen().len(), 3, "what will not help is not tried again");
}

#[test]
fn the_token_goes_to_the_hub_and_nowhere_else() {
    let ((server, _), home) = (with_model(), tempfile::tempdir().unwrap());
    server.only_with("hf_secret");
    assert_eq!(
        message(&hub(&server, &home)),
        "timm/resnet18.tv_in1k: expected a repository that everybody may read, \
         found 401 Unauthorized: Invalid username or password.\n  what to do: check --repo; \
         if the repository is private or gated, set HF_TOKEN to a token that may read it"
    );
    let with = |token: &str| {
        Hub::new(Settings { token: Some(token.to_owned()), ..settings(&server, &home) }).unwrap()
    };
    server.order("/api/", 1, Trick::Status(401, "hf_wrong is no token", None));
    assert_eq!(
        message(&with("hf_wrong")),
        "timm/resnet18.tv_in1k: expected a token that the hub accepts, found 401 Unauthorized: (the token) is no token\n  \
         what to do: make a new token and set HF_TOKEN to it, or unset HF_TOKEN for public files"
    );
    server.seen();
    fetch_model(&with("hf_secret")).unwrap();
    let seen: Vec<_> = server.seen().into_iter().map(|it| (it.at_storage, it.authorization)).collect();
    let bearer = || Some("Bearer hf_secret".to_owned());
    assert_eq!(seen, [(false, bearer()), (false, bearer()), (true, None)]);
}

#[test]
fn the_hub_is_given_the_time_that_it_asks_for() {
    let ((server, _), home) = (with_model(), tempfile::tempdir().unwrap());
    let pauses = RefCell::new(Vec::new());
    let watch = |event: Event<'_>| {
        if let Event::Waiting { reason, pause } = event {
            pauses.borrow_mut().push((reason.to_owned(), pause));
        }
    };
    server.order("/api/", 1, Trick::Status(429, "Too many requests", Some("1")));
    server.order("/resolve/", 1, Trick::Status(500, "Internal error", None));
    hub(&server, &home).fetch(&Place::model(MODEL, "main"), |_| true, &watch).unwrap();
    assert_eq!(
        *pauses.borrow(),
        [
            ("429 Too Many Requests: Too many requests".to_owned(), Duration::from_secs(1)),
            ("500 Internal Server Error: Internal error".to_owned(), Duration::from_millis(1)),
        ]
    );

    // An hour is longer than anybody wants to look at a bar.
    server.order("/api/", 1, Trick::Status(429, "Too many requests", Some("3600")));
    assert_eq!(
        message(&hub(&server, &home)),
        "timm/resnet18.tv_in1k: expected no more requests than the hub allows, \
         found 429 Too Many Requests: Too many requests\n  \
         what to do: wait 3600 s, then give the same command again"
    );
}

#[test]
fn a_hub_that_is_out_of_order() {
    let ((server, _), home) = (with_model(), tempfile::tempdir().unwrap());
    server.order("/api/", 99, Trick::Status(500, "Internal error", None));
    assert_eq!(
        message(&hub(&server, &home)),
        "timm/resnet18.tv_in1k: expected the file, found 500 Internal Server Error: Internal error\n  \
         what to do: give the same command again later; it goes on where it stopped"
    );
    assert_eq!(server.seen().len(), 5);

    // Nobody listens there any more.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let gone = Settings { endpoint: Some(format!("http://{free}")), ..settings(&server, &home) };
    let failure = message(&Hub::new(gone).unwrap());
    assert!(
        failure.starts_with("timm/resnet18.tv_in1k: expected a connection to the hub, found "),
        "{failure}"
    );
    assert!(failure.contains("check the network, HTTPS_PROXY and HF_ENDPOINT"), "{failure}");
}

#[test]
fn a_hub_that_is_something_else() {
    let ((server, _), home) = (with_model(), tempfile::tempdir().unwrap());
    server.order("/api/", 1, Trick::Status(200, "a hotel's login page", None));
    let failure = message(&hub(&server, &home));
    assert!(
        failure.contains("expected the hub's description of a repository, found another answer"),
        "{failure}"
    );
    let settings = Settings { endpoint: Some("hub.invalid".to_owned()), ..settings(&server, &home) };
    assert_eq!(
        Hub::new(settings).err().unwrap().to_string(),
        "HF_ENDPOINT: expected an address that begins with https:// or http://, found 'hub.invalid'\n  \
         what to do: correct it, or unset HF_ENDPOINT to use the hub itself"
    );
}

#[test]
fn a_path_that_leads_out_of_the_cache() {
    let (server, home) = (Loopback::start(), tempfile::tempdir().unwrap());
    server.put(MODEL, "../../../escaped.safetensors", vec![1, 2, 3]);
    let failure = hub(&server, &home).fetch(&Place::model(MODEL, "main"), |_| true, &|_| ()).unwrap_err();
    assert!(
        failure
            .to_string()
            .contains("expected a path inside the repository, found '../../../escaped.safetensors'"),
        "{failure}"
    );
}

#[test]
fn two_at_once() {
    let ((server, bytes), home) = (with_model(), tempfile::tempdir().unwrap());
    let blobs = home.path().join("hub/models--timm--resnet18.tv_in1k/blobs");
    std::fs::create_dir_all(&blobs).unwrap();
    let other = std::fs::File::create(blobs.join(format!("{}.incomplete", sha256(&bytes)))).unwrap();
    other.lock().unwrap();
    let failure = message(&hub(&server, &home));
    assert!(
        failure.contains("expected a file that nobody else is fetching, found another process"),
        "{failure}"
    );
    drop(other);
    fetch_model(&hub(&server, &home)).unwrap();
}

#[test]
fn a_data_set_that_is_not_office_home() {
    let home = tempfile::tempdir().unwrap();
    let failure = |names: &[&str], rows: &[Row]| {
        let server = Loopback::start();
        server.put(DATASET, "data/train-00000-of-00001.parquet", parquet_file(names, rows));
        office_home(&hub(&server, &home), &home.path().join("pictures")).unwrap_err().to_string()
    };
    let unknown = failure(&["Alarm_Clok"], &[row("Art", 0, 10, None)]);
    assert!(
        unknown.contains("expected a class of Office-Home (the nearest is Alarm_Clock), found 'Alarm_Clok'"),
        "{unknown}"
    );
    let nameless = failure(&HUB_NAMES, &[row("Art", 7, 10, None)]);
    assert!(
        nameless.contains(
            "train-00000-of-00001.parquet, row 1: expected the name of label 7 in the file's metadata"
        ),
        "{nameless}"
    );
    let words = Row { bytes: b"no picture".to_vec(), path: None, domain: "Art", label: 1 };
    let words = failure(&HUB_NAMES, &[words]);
    assert!(words.contains("Art/Drill: expected a picture, found 10 other bytes"), "{words}");
    let few = failure(&HUB_NAMES, &[row("Art", 1, 10, None)]);
    assert!(few.contains("pictures/Art/Drill: expected 3 pictures of Drill in Art, found 1"), "{few}");

    let server = Loopback::start();
    server.put(DATASET, "data/train.parquet", b"PAR1 and so on".to_vec());
    let broken = office_home(&hub(&server, &home), &home.path().join("pictures")).unwrap_err().to_string();
    assert!(broken.contains("data/train.parquet: expected a complete parquet file, found "), "{broken}");
}

#[test]
fn the_commands_and_the_environment() {
    let ((server, bytes), folder) = (with_model(), tempfile::tempdir().unwrap());
    let endpoint = ("HF_ENDPOINT", server.address.as_str());
    let fetch = ["data", "fetch", "weights", "--backbone", "resnet18"];
    let train = ["train", "--data", "mini", "--task", "Cl-Rw", "--method", "dann", "--backbone", "resnet18"];
    let train = [&train[..], &["--weights", "pretrained"]].concat();
    let nothing = toalign(&folder, &train, &[]);
    assert!(
        text(&nothing.stderr)
            .contains("what to do: toalign data fetch weights --backbone resnet18, or --weights FILE"),
        "{}",
        text(&nothing.stderr)
    );
    let nothing = toalign(&folder, &fetch, &[endpoint, ("HF_HUB_OFFLINE", "1")]);
    assert_eq!(nothing.status.code(), Some(1));
    assert!(
        text(&nothing.stderr).contains(
            "expected the files of timm/resnet18.tv_in1k in the cache, found none of them\n  \
             what to do: unset HF_HUB_OFFLINE to fetch them, or name another cache with HF_HOME"
        ),
        "{}",
        text(&nothing.stderr)
    );
    assert!(server.seen().is_empty(), "offline means offline");

    // The token of the environment, by way of a proxy; the name of the endpoint is the proxy's business.
    server.only_with("hf_secret");
    let behind =
        [("HF_ENDPOINT", "http://hub.invalid/"), ("HF_TOKEN", "hf_secret"), ("NO_PROXY", "localhost")];
    let behind = [&behind[..], &[("HTTP_PROXY", server.address.as_str())]].concat();
    let fetched = toalign(&folder, &fetch, &behind);
    let said = text(&fetched.stdout);
    assert!(fetched.status.success(), "{}", text(&fetched.stderr));
    let file = format!("hf-home/hub/models--timm--resnet18.tv_in1k/snapshots/{COMMIT}/model.safetensors");
    assert_eq!(std::fs::read(folder.path().join(&file)).unwrap(), bytes);
    assert!(said.lines().next().unwrap().ends_with(&file), "{said}");
    assert!(said.ends_with("use it with --backbone resnet18 --weights pretrained\n"), "{said}");
    assert!(!said.contains("hf_secret") && !text(&fetched.stderr).contains("hf_secret"));
    let seen = server.seen();
    assert!(
        seen.iter().any(|request| request.method == "CONNECT" && request.path == "hub.invalid:80"),
        "{seen:?}"
    );
    assert!(seen.iter().all(|request| !request.at_storage || request.authorization.is_none()), "{seen:?}");

    let again = toalign(&folder, &fetch, &[endpoint, ("HF_HUB_OFFLINE", "1")]);
    assert_eq!(text(&again.stdout), said);
    // Training finds the file, which is none of weights, without a connection.
    let found = text(&toalign(&folder, &train, &[]).stderr);
    assert!(found.contains(&file), "{found}");
    assert!(server.seen().is_empty());
}

#[test]
fn office_home_by_command() {
    let (server, folder) = (with_dataset(), tempfile::tempdir().unwrap());
    let endpoint = ("HF_ENDPOINT", server.address.as_str());
    let fetch = ["data", "fetch", "office-home", "--out", "pictures"];
    let cached = ("HF_HUB_CACHE", "elsewhere");
    let output = toalign(&folder, &fetch, &[endpoint, cached]);
    // Seven pictures are too few, and the message says of what.
    assert_eq!(output.status.code(), Some(1));
    let message = text(&output.stderr);
    assert!(
        message.contains(
            "pictures/Art/Drill: expected 15 pictures of Drill in Art, found 3\n  what to do: delete"
        ),
        "{message}"
    );
    assert_eq!(reds(&folder.path().join("pictures")).len(), 7);

    // One of two files is not enough offline.
    let snapshot = folder.path().join("elsewhere/datasets--flwrlabs--office-home/snapshots").join(COMMIT);
    std::fs::remove_file(snapshot.join("data/train-00001-of-00002.parquet")).unwrap();
    let output = toalign(&folder, &fetch, &[cached, ("HF_HUB_OFFLINE", "true")]);
    assert!(text(&output.stderr).contains("in the cache, found 1 of 2 files"), "{}", text(&output.stderr));

    // No shell has replaced a ~ or a variable in a file of settings; the same cache is found.
    let home = ("HOME", folder.path().to_str().unwrap());
    std::fs::rename(folder.path().join("elsewhere"), folder.path().join("hub")).unwrap();
    for place in
        [("HF_HUB_CACHE", "~/hub"), ("HF_HUB_CACHE", "$HOME/hub"), ("HF_HOME", "~"), ("HF_HOME", "$HOME/")]
    {
        let output = toalign(&folder, &fetch, &[place, home, ("HF_HUB_OFFLINE", "true")]);
        let error = text(&output.stderr);
        assert!(error.contains("in the cache, found 1 of 2 files"), "{place:?}: {error}");
    }
}
