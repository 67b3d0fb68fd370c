//! Icons by way of npm, against an npm of our own that serves small sets and misbehaves on order.
#![cfg(unix)]

#[path = "common/toy.rs"]
mod toy;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Output;

use tempfile::TempDir;
use toalign::data::icons;
use toalign::data::picture_files::Options;
use toalign::explain::attention::chance_level;

/// Serves the folders below `packages`, fails for the set named in `offline`, and writes down what it is asked for.
const NPM: &str = r#"#!/bin/sh
[ "$1" = --version ] && exit 0
for package; do :; done
set=${package#@iconify-json/}; set=${set%@*}
echo "$set" >> "HERE/asked"
if [ "$set" = "$(cat HERE/offline 2>/dev/null)" ]; then
    printf 'npm error code ENOTFOUND\nnpm error network no connection\n' >&2; exit 1
fi
[ -d "HERE/packages/$set" ] || { echo 'npm error code E404' >&2; exit 1; }
mkdir -p node_modules/@iconify-json && cp -r "HERE/packages/$set" node_modules/@iconify-json/
"#;

const BEDS: [&str; 5] = ["bed", "bed-king", "bed-queen", "bed-double", "bed-single"];
const BIKES: [&str; 5] = ["bike", "bicycle", "pedal-bike", "cargo-bike", "dutch-bike"];
const CHAIRS: [&str; 5] = ["chair", "stool", "seat", "armchair", "high-chair"];
/// One set for each style.
const SETS: [&str; 4] = ["lucide", "bxs", "flat-color-icons", "twemoji"];

/// A square whose row tells the class, and whose place in the row the icon.
fn square(row: usize, place: usize) -> serde_json::Value {
    let (x, y) = (place * 4, row * 8);
    serde_json::json!({ "body": format!("<path fill='currentColor' d='M{x} {y}h7v7h-7z'/>") })
}

/// A workplace with an npm that has [`SETS`] alone.
struct Workplace {
    folder: TempDir,
}

impl Workplace {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path().canonicalize().unwrap();
        let npm = here.join("bin/npm");
        std::fs::create_dir_all(here.join("bin")).unwrap();
        std::fs::write(&npm, NPM.replace("HERE", &here.display().to_string())).unwrap();
        std::fs::set_permissions(&npm, std::fs::Permissions::from_mode(0o755)).unwrap();
        for set in SETS {
            let mut icons = serde_json::Map::new();
            for (row, names) in [BEDS, BIKES, CHAIRS].into_iter().enumerate() {
                // One class that one style lacks.
                if set == "twemoji" && names == CHAIRS {
                    continue;
                }
                for (place, name) in names.into_iter().enumerate() {
                    icons.insert(name.to_owned(), square(row, place));
                }
            }
            // The same again, two spoons, one that its makers withdrew, something else, and one that is no drawing.
            icons.insert("bed-bunk".into(), square(0, 0));
            icons.insert("spoon".into(), square(1, 1));
            icons.insert("ladle".into(), square(1, 2));
            icons
                .insert("bed-empty".into(), serde_json::json!({ "body": "<circle r='9'/>", "hidden": true }));
            icons.insert("kitten".into(), square(2, 2));
            icons.insert("bed-ready".into(), serde_json::json!({ "body": "<path" }));
            let package = here.join("packages").join(set);
            std::fs::create_dir_all(&package).unwrap();
            let text = serde_json::json!({ "prefix": set, "width": 24, "height": 24, "icons": icons });
            std::fs::write(package.join("icons.json"), text.to_string()).unwrap();
        }
        Self { folder }
    }

    fn path(&self, inside: &str) -> PathBuf {
        self.folder.path().join(inside)
    }

    fn toalign(&self, arguments: &[&str]) -> Output {
        let others = std::env::var("PATH").unwrap();
        let path = format!("{}:{others}", self.path("bin").display());
        toy::command(self.folder.path(), arguments).env("PATH", path).output().unwrap()
    }

    /// What the fetch says on standard output and standard error, having succeeded.
    fn fetch(&self) -> (String, String) {
        let output = self.toalign(&["data", "fetch", "icons", "--out", "out"]);
        let [said, noted] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
        assert!(output.status.success(), "{noted}");
        (said, noted)
    }

    /// The sets that npm was asked for since the last call.
    fn asked(&self) -> Vec<String> {
        let asked = std::fs::read_to_string(self.path("asked")).unwrap_or_default();
        let _ = std::fs::remove_file(self.path("asked"));
        asked.lines().map(str::to_owned).collect()
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap().flatten();
    let mut names: Vec<String> = entries.map(|entry| entry.file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn icons_become_folders_of_pictures_with_masks() {
    let place = Workplace::new();
    let (said, noted) = place.fetch();
    // One of two equal beds, no hidden one, no kitten; five chairs but no emoji of one; no class with two spoons.
    let out = place.path("out");
    assert_eq!(names(&out.join("Line")), ["Bed", "Bike", "Chair"]);
    assert_eq!(names(&out.join("Emoji")), ["Bed", "Bike"]);
    let mut beds = BEDS.map(|name| format!("bxs--{name}.png"));
    beds.sort();
    assert_eq!(names(&out.join("Solid/Bed")), beds);
    let cells = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let rows: Vec<Vec<String>> = said.lines().map(cells).collect();
    for row in [["Bed", "5", "5", "5", "5"], ["Chair", "5", "5", "5", "0"], ["all", "15", "15", "15", "10"]] {
        assert!(rows.contains(&row.map(str::to_owned).to_vec()), "{said}");
    }
    let sets = icons::sets().unwrap();
    assert!(said.contains(&format!("55 pictures of 3 classes from 4 of {} sets", sets.len())), "{said}");

    // What is not there is named: sets, classes, icons.
    let tabler = sets.iter().find(|set| set.name == "tabler").unwrap();
    assert!(noted.contains("npm does not have these sets any more"), "{noted}");
    assert!(noted.contains(&format!("@iconify-json/tabler@{}", tabler.version)), "{noted}");
    assert!(noted.contains("too few pictures of them: ") && noted.contains("Spoon"), "{noted}");
    assert!(noted.contains("cannot be drawn: lucide/bed-ready"), "{noted}");

    // Who made them, and nobody else.
    let attribution = std::fs::read_to_string(out.join("ATTRIBUTION.md")).unwrap();
    let lucide = sets.iter().find(|set| set.name == "lucide").unwrap();
    let row = format!("| lucide | {} | [ISC](https://spdx.org/licenses/ISC.html) | ", lucide.version);
    assert!(attribution.contains(&row), "{attribution}");
    assert!(attribution.contains("<https://github.com/lucide-icons/lucide> | 15 |"), "{attribution}");
    assert!(!attribution.contains("| tabler |"), "{attribution}");

    // The picture is on white, and its alpha is the mask.
    let picture = image::open(out.join("Line/Bed/lucide--bed.png")).unwrap().into_rgba8();
    assert_eq!(picture.dimensions(), (icons::SIDE, icons::SIDE));
    assert_eq!(picture.get_pixel(15, 15).0, [0x11, 0x11, 0x11, 255]);
    assert_eq!(picture.get_pixel(90, 90).0, [255, 255, 255, 0]);
    let task = icons::task(&out, "Li-So", &Options::default()).unwrap();
    assert_eq!((task.name.as_str(), task.source.pictures.len()), ("Li-So", 15));
    assert_eq!(task.classes, ["Bed", "Bike", "Chair"]);
    assert!(task.remarks.is_empty(), "{:?}", task.remarks);
    for (index, label) in [(0, 0), (5, 1), (14, 2)] {
        let decoded = task.target.pictures.decode(index).unwrap();
        let mask = task.target.pictures.mask(index).unwrap().unwrap();
        assert_eq!(task.target.pictures.label(index), label);
        assert_eq!(mask.dimensions(), decoded.dimensions());
        // A square of 7 × 7 of 24 × 24 units, with a margin.
        let covered = chance_level(&mask).unwrap();
        assert!((0.05..0.09).contains(&covered), "{covered}");
        for (pixel, masked) in decoded.pixels().zip(mask.pixels()) {
            assert_eq!(masked.0[0] == 0, pixel.0[0] > 230, "{pixel:?} {masked:?}");
        }
    }
    // On another background, what is no icon takes its colour, and the icon keeps its own.
    let red = Options { background: Some([255, 0, 0]), ..Options::default() };
    let on_red = icons::task(&out, "Line-Solid", &red).unwrap().source.pictures.decode(4).unwrap();
    assert_eq!([on_red.get_pixel(15, 15).0, on_red.get_pixel(90, 90).0], [[0x11; 3], [255, 0, 0]]);

    // All there: npm is only asked for what it did not have.
    assert_eq!(place.asked().len(), sets.len());
    assert_eq!(place.fetch(), (said, noted));
    assert_eq!(place.asked().len(), sets.len() - SETS.len());
    let check = place.toalign(&["data", "check", "icons:out"]);
    assert!(check.status.success(), "{check:?}");
    assert!(String::from_utf8_lossy(&check.stdout).contains("nothing is missing, extra or unreadable"));
}

#[test]
fn an_interrupted_fetch_goes_on() {
    let place = Workplace::new();
    std::fs::write(place.path("offline"), "flat-color-icons").unwrap();
    let output = place.toalign(&["data", "fetch", "icons", "--out", "out"]);
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(message.contains("error: npm install @iconify-json/flat-color-icons@"), "{message}");
    assert!(message.contains("expected the package from npm, found npm error code ENOTFOUND; "), "{message}");
    assert!(message.contains("give the same command again; it goes on where it stopped"), "{message}");
    assert!(place.asked().contains(&"lucide".to_owned()));

    std::fs::remove_file(place.path("offline")).unwrap();
    let (said, _) = place.fetch();
    assert!(said.contains("55 pictures of 3 classes from 4 of "), "{said}");
    let asked = place.asked();
    assert!(!asked.contains(&"lucide".to_owned()) && !asked.contains(&"bxs".to_owned()), "{asked:?}");
    assert!(asked.contains(&"flat-color-icons".to_owned()), "{asked:?}");

    // A picture that is gone comes back, one that is damaged is mended, one of an earlier table goes; the user's own stays.
    let beds = place.path("out/Line/Bed");
    let whole = std::fs::read(beds.join("lucide--bed-king.png")).unwrap();
    std::fs::remove_file(beds.join("lucide--bed.png")).unwrap();
    std::fs::write(beds.join("lucide--bed-king.png"), &whole[..50]).unwrap();
    std::fs::write(beds.join("lucide--hammock.png"), &whole).unwrap();
    std::fs::write(beds.join("mine--own.png"), &whole).unwrap();
    place.fetch();
    let mut expected = BEDS.map(|name| format!("lucide--{name}.png")).to_vec();
    expected.push("mine--own.png".to_owned());
    expected.sort();
    assert_eq!(names(&beds), expected);
    assert_eq!(std::fs::read(beds.join("lucide--bed-king.png")).unwrap(), whole);
    let hidden = names(&place.path("out")).into_iter().find(|name| name.starts_with(".icon-sets-")).unwrap();
    let left = names(&place.path("out").join(hidden));
    assert!(left.iter().all(|name| name.ends_with(".json")), "{left:?}");
}

#[test]
fn without_npm_or_without_any_set() {
    let place = Workplace::new();
    let mut command = toy::command(place.folder.path(), &["data", "fetch", "icons", "--out", "out"]);
    let output = command.env("PATH", place.path("packages")).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        "error: expected the program npm, which fetches the sets of icons, found none on the PATH\n  \
         what to do: install Node.js, which brings npm, then give the same command again\n"
    );

    std::fs::remove_dir_all(place.path("packages")).unwrap();
    let output = place.toalign(&["data", "fetch", "icons", "--out", "out"]);
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        message.contains("out: expected sets of icons from npm, found that it has none of them"),
        "{message}"
    );

    let message = icons::task(&place.path("out"), "Li-So", &Options::default()).err().unwrap().to_string();
    assert!(
        message.contains("out/Line: expected the domain Line of the icons, found no such folder"),
        "{message}"
    );
    assert!(message.contains("what to do: make it with toalign data fetch icons --out "), "{message}");
}

#[test]
fn a_run_on_icons() {
    let place = Workplace::new();
    place.fetch();
    let train = |task: &str| {
        let arguments =
            ["train", "--preset", "mini", "--data", "icons:out", "--task", task, "--method", "hda"];
        let short = ["--weights", "none", "--batch-size", "4", "--steps", "2", "--test-every", "2"];
        let output = place.toalign(&[&arguments[..], &short].concat());
        let noted = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{noted}");
        noted
    };
    train("Li-So");
    assert!(place.path("runs/icons/Li-So/hda").is_dir());
    // A class that a domain of the task lacks is no class of the task.
    let noted = train("Li+Fl-Em");
    assert!(
        noted.contains("Li+Fl-Em has the 2 classes that all of its domains have, and not Chair"),
        "{noted}"
    );
    assert!(place.path("runs/icons/Li+Fl-Em/hda").is_dir());
}
