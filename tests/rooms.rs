//! The README's table of rooms is the house: it names every room, and no room imports a later one.

use std::path::{Path, PathBuf};

/// The rooms in the table's order: `error.rs` and `device/` as `error` and `device`.
fn rooms() -> Vec<String> {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let table = readme.split("| room | what is in it |").nth(1).unwrap().split("\n\n").next().unwrap();
    let names = table
        .lines()
        .filter_map(|row| row.split('|').nth(1))
        .flat_map(|cell| cell.split('`').skip(1).step_by(2));
    names.map(|name| name.trim_end_matches('/').trim_end_matches(".rs").to_owned()).collect()
}

fn root() -> PathBuf {
    env!("CARGO_MANIFEST_DIR").into()
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        match entry.unwrap().path() {
            path if path.is_dir() => sources(&path, found),
            path if path.extension().is_some_and(|extension| extension == "rs") => found.push(path),
            _ => {}
        }
    }
}

#[test]
fn the_table_names_every_room_and_data_flow_down_it() {
    let (rooms, src) = (rooms(), root().join("src"));
    let place = |room: &str| rooms.iter().position(|known| known == room);
    let mut files = Vec::new();
    sources(&src, &mut files);
    assert!(files.len() > 100, "{}", files.len());
    for file in files {
        let inside = file.strip_prefix(&src).unwrap().with_extension("");
        let room = inside.components().next().unwrap().as_os_str().to_str().unwrap();
        if room == "lib" {
            continue;
        }
        let own = place(room).unwrap_or_else(|| panic!("the README's table has no room {room}"));
        let text = std::fs::read_to_string(&file).unwrap();
        // Tests may look anywhere; so may the words of a comment.
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        for line in code.lines().filter(|line| !line.trim_start().starts_with("//")) {
            for import in line.split("crate::").skip(1) {
                let name: String =
                    import.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect();
                if let Some(imported) = place(&name) {
                    assert!(imported <= own, "{} imports {name}, a later room", file.display());
                }
            }
        }
    }
}
