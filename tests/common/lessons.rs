//! The lessons as files: their cells, without Jupyter.
#![allow(dead_code)] // each test file uses its own part of this

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// A notebook of the course.
pub struct Lesson {
    /// Its file's name without the ending, such as `04_toalign_weighting`.
    pub name: String,
    /// Its file.
    pub path: PathBuf,
    /// All of its cells, in order.
    pub cells: Vec<Cell>,
}

/// A cell of a lesson.
pub struct Cell {
    /// Its place, counted from 1.
    pub number: usize,
    /// Whether it is Rust; else it is Markdown.
    pub is_code: bool,
    /// What stands in it.
    pub text: String,
    /// What else the file says about it.
    pub metadata: Value,
    /// What it showed when it was run.
    pub outputs: Vec<Value>,
}

impl Lesson {
    /// Its cells of Rust.
    pub fn code(&self) -> impl Iterator<Item = &Cell> {
        self.cells.iter().filter(|cell| cell.is_code)
    }

    /// Its cells of Markdown.
    pub fn markdown(&self) -> impl Iterator<Item = &Cell> {
        self.cells.iter().filter(|cell| !cell.is_code)
    }

    /// Its number, such as `04`.
    pub fn number(&self) -> &str {
        self.name.split('_').next().unwrap_or_default()
    }
}

/// A text of the format, which may be one string or a list of lines.
pub fn text(value: &Value) -> String {
    match value {
        Value::Array(lines) => lines.iter().filter_map(Value::as_str).collect(),
        other => other.as_str().unwrap_or_default().to_owned(),
    }
}

/// The folder of the lessons.
pub fn notebooks() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("notebooks")
}

/// All lessons, in order.
pub fn lessons() -> Vec<Lesson> {
    let mut paths: Vec<PathBuf> = fs::read_dir(notebooks())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "ipynb"))
        .collect();
    paths.sort();
    paths.into_iter().map(lesson).collect()
}

fn lesson(path: PathBuf) -> Lesson {
    let name = path.file_stem().unwrap().to_string_lossy().into_owned();
    let notebook: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap_or_else(|error| {
        panic!("{name}: expected a notebook, found no JSON ({error}); save it again in JupyterLab")
    });
    let cells = notebook["cells"].as_array().into_iter().flatten().enumerate();
    let cells = cells.map(|(index, cell)| Cell {
        number: index + 1,
        is_code: cell["cell_type"] == "code",
        text: text(&cell["source"]),
        metadata: cell["metadata"].clone(),
        outputs: cell["outputs"].as_array().cloned().unwrap_or_default(),
    });
    Lesson { cells: cells.collect(), name, path }
}
