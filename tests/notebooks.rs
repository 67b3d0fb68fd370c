//! The lessons without Jupyter: their cells compile against the library as it is now, and the files are fit to be read.
//!
//! `notebooks/kernel/cells/` holds each lesson as a program; the example `lessons` in `Cargo.toml` makes `cargo test` compile
//! them. After a change to a lesson: `TOALIGN_WRITE_CELLS=1 cargo test --test notebooks`.

#[path = "common/lessons.rs"]
mod lessons;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;

use lessons::{Cell, Lesson, lessons, notebooks, text};
use toalign::files::write_atomically;

const DEPENDENCY: &str = ":dep toalign = { path = \"kernel\", package = \"toalign-nb\" }";
const COMMAND: &str = "TOALIGN_WRITE_CELLS=1 cargo test --test notebooks";
/// Lines of a cell that fit on a screen together with what they print.
const LONGEST_CELL: usize = 20;
/// Bytes of a lesson with its outputs.
const LARGEST_LESSON: u64 = 1_500_000;

/// The lesson as a program. A cell sees what the cells before it made and may make the same name anew, so each lies in
/// the block of the one before.
fn program(lesson: &Lesson) -> String {
    let mut program = format!(
        "//! The cells of the lesson `{}`; written by `{COMMAND}`.\n\n\
         #[rustfmt::skip]\n\
         fn lesson() -> Result<(), Box<dyn std::error::Error>> {{\n",
        lesson.name
    );
    for cell in lesson.code() {
        writeln!(program, "{{ // cell {}", cell.number).unwrap();
        for line in cell.text.lines().filter(|line| !line.starts_with(':')) {
            writeln!(program, "{line}").unwrap();
        }
        // Ends an expression whose value the cell would show.
        program.push_str(";\n");
    }
    writeln!(program, "{}\nOk(())\n}}", "}".repeat(lesson.code().count())).unwrap();
    program
}

/// The generated files by name.
fn generated(lessons: &[Lesson]) -> BTreeMap<String, String> {
    let mut files: BTreeMap<_, _> =
        lessons.iter().map(|lesson| (format!("{}.rs", lesson.name), program(lesson))).collect();
    let mut root = format!(
        "//! All lessons, for the compiler; written by `{COMMAND}`.\n\n\
         // What a lesson shows first, it may use later or never.\n\
         #![allow(warnings, clippy::all)]\n"
    );
    for Lesson { name, .. } in lessons {
        write!(root, "\n#[path = \"{name}.rs\"]\nmod lesson_{};", name.replace('-', "_")).unwrap();
    }
    root.push('\n');
    files.insert("lessons.rs".into(), root);
    files
}

#[test]
fn the_programs_are_those_of_the_lessons() {
    let folder = notebooks().join("kernel/cells");
    let files = generated(&lessons());
    let found: BTreeMap<String, String> = fs::read_dir(&folder)
        .into_iter()
        .flatten()
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read_to_string(path).unwrap())
        })
        .collect();
    if std::env::var("TOALIGN_WRITE_CELLS").is_ok_and(|value| value == "1") {
        fs::create_dir_all(&folder).unwrap();
        for (name, text) in files.iter().filter(|(name, text)| found.get(*name) != Some(text)) {
            write_atomically(&folder.join(name), text.as_bytes()).unwrap();
        }
        for name in found.keys().filter(|name| !files.contains_key(*name)) {
            fs::remove_file(folder.join(name)).unwrap();
        }
        return;
    }
    for name in files.keys().chain(found.keys()) {
        assert!(
            files.get(name) == found.get(name),
            "expected notebooks/kernel/cells/{name} to be made of the lessons, found {}; run `{COMMAND}`, then `cargo test` again",
            if found.contains_key(name) { "an older one or one without a lesson" } else { "none" },
        );
    }
}

#[test]
fn lessons_are_fit_to_be_read() {
    let mut complaints = Vec::new();
    for lesson in lessons() {
        let Lesson { name, path, .. } = &lesson;
        let mut complain = |what: String| complaints.push(format!("{name}: {what}"));
        if !(name.len() > 3
            && name.as_bytes()[..2].iter().all(u8::is_ascii_digit)
            && name.as_bytes()[2] == b'_')
        {
            complain("expected a name such as 04_batch_norm; rename it".into());
        }
        let first = lesson.code().next().and_then(|cell| cell.text.lines().next()).unwrap_or("nothing");
        if first != DEPENDENCY {
            complain(format!(
                "expected the first cell to begin with `{DEPENDENCY}`, found `{first}`; correct it"
            ));
        }
        let size = fs::metadata(path).unwrap().len();
        if size >= LARGEST_LESSON {
            complain(format!(
                "expected less than {LARGEST_LESSON} bytes, found {size}; show fewer or smaller pictures"
            ));
        }
        for Cell { number, text: source, outputs, .. } in lesson.code() {
            let found = source.lines().count();
            if found > LONGEST_CELL {
                complain(format!(
                    "expected cell {number} to have at most {LONGEST_CELL} lines, found {found}; split it"
                ));
            }
            // It compiles as a program, but the kernel cannot keep a closure from cell to cell.
            for line in source.lines().filter(|line| line.starts_with("let ") && line.contains(" = |")) {
                complain(format!("expected a fn in cell {number}, found the closure `{line}`; write a fn"));
            }
            for output in outputs {
                if output["output_type"] == "error" || output["name"] == "stderr" {
                    complain(format!(
                        "expected cell {number} without an error, found one; run `notebooks/lab --run {name}`"
                    ));
                }
                let page = text(&output["data"]["text/html"]);
                // JupyterLab removes these from notebooks that were run on another machine.
                for removed in ["<svg", "<script"].into_iter().filter(|tag| page.contains(tag)) {
                    complain(format!(
                        "expected cell {number} to show pictures as PNG or <img>, found `{removed}`; change it"
                    ));
                }
            }
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}
