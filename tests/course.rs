//! The course as a whole: every point of the talk has its lesson, a symbol has one meaning, checks can fail, and questions have
//! answers. Nothing is trained here; that the checks do fail when they should, `notebooks/lab --run` finds out.

#[path = "common/lessons.rs"]
mod lessons;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use lessons::{Cell, Lesson, lessons, text};

/// The macros of assertions, and how many arguments stand before the message.
const ASSERTIONS: [(&str, usize); 3] = [("assert!(", 1), ("assert_eq!(", 2), ("assert_ne!(", 2)];
/// What opens the answers of a lesson.
const ANSWERS: &str = "<summary>Answers</summary>";

/// What symbols were called before each had one meaning, and what they are called now.
const OLD_SYMBOLS: [(&str, &str); 7] = [
    (r"\mathcal{D}_", r"a domain as `\mathcal{S}` or `\mathcal{T}`"),
    (r"\sim s", r"the source as `\mathcal{S}`"),
    (r"\sim t", r"the target as `\mathcal{T}`"),
    (r"\mathcal{L}_{adv}", r"the adversary's loss as `\mathcal{L}_D`"),
    (r"\lambda(p)", "progress as `u`"),
    (r"\eta(p)", "progress as `u`"),
    (r"\mathbf{z} = V", r"places in the plane as `\mathbf{q}`"),
];

/// A point of the talk: one row of `data_maps/talk.csv`.
struct Point {
    point: String,
    lesson: String,
    says: String,
    correction: String,
}

/// The points of the talk, in the order of its slides.
fn talk() -> Vec<Point> {
    let list = fs::read_to_string(root("data_maps/talk.csv")).unwrap();
    let rows = list.lines().enumerate().skip(1).map(|(index, line)| {
        let [point, lesson, says, correction] =
            <[String; 4]>::try_from(cells_of(line)).unwrap_or_else(|found| {
                let (row, found) = (index + 1, found.len());
                panic!("data_maps/talk.csv:{row}: expected point,lesson,says,correction, found {found} cells")
            });
        Point { point, lesson, says, correction }
    });
    rows.collect()
}

fn root(path: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The cells of a line of CSV; one in quotes may hold commas, and a quote as two.
fn cells_of(line: &str) -> Vec<String> {
    let (mut cells, mut quoted) = (vec![String::new()], false);
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if quoted && letters.next_if_eq(&'"').is_some() => cells.last_mut().unwrap().push('"'),
            '"' => quoted = !quoted,
            ',' if !quoted => cells.push(String::new()),
            letter => cells.last_mut().unwrap().push(letter),
        }
    }
    cells
}

/// The rows of the table of Markdown whose header is `header`, below the header.
fn table(markdown: &str, header: &[&str]) -> Vec<Vec<String>> {
    let row = |line: &str| -> Option<Vec<String>> {
        let inside = line.trim().strip_prefix('|')?.strip_suffix('|')?;
        Some(inside.split('|').map(|cell| cell.trim().to_owned()).collect())
    };
    let mut lines = markdown.lines().skip_while(|line| row(line).is_none_or(|cells| cells != header));
    lines.next();
    lines.skip(1).map_while(row).collect()
}

/// Lesson 00, all of its Markdown.
fn first_lesson() -> String {
    let lesson = lessons().into_iter().next().unwrap();
    assert_eq!(lesson.number(), "00");
    lesson.markdown().map(|cell| cell.text.as_str()).collect::<Vec<_>>().join("\n\n")
}

/// Fails with all complaints at once.
fn settle(complaints: Vec<String>) {
    assert!(complaints.is_empty(), "{} complaints:\n{}", complaints.len(), complaints.join("\n"));
}

/// What is in one list and not in the other, in words.
fn compare(what: &str, expected: &[Vec<String>], found: &[Vec<String>], complaints: &mut Vec<String>) {
    for row in expected.iter().filter(|row| !found.contains(row)) {
        complaints.push(format!("{what}: expected the row {row:?}, found none such; add it"));
    }
    for row in found.iter().filter(|row| !expected.contains(row)) {
        complaints.push(format!("{what}: found the row {row:?}, expected none such; correct it"));
    }
}

#[test]
fn every_point_of_the_talk_has_its_lesson() {
    let (course, mut complaints) = (lessons(), Vec::new());
    for Point { point, lesson, says, .. } in talk() {
        let Some(lesson) = course.iter().find(|known| known.number() == lesson) else {
            complaints.push(format!("“{point}”: expected the two digits of a lesson, found “{lesson}”"));
            continue;
        };
        if says.is_empty() || !lesson.markdown().any(|cell| cell.text.contains(&says)) {
            complaints.push(format!(
                "“{point}”: expected “{says}” in the text of {}, found it nowhere",
                lesson.name
            ));
        }
    }
    settle(complaints);
}

#[test]
fn lesson_00_says_which_lesson_covers_what() {
    let (talk, page, mut complaints) = (talk(), first_lesson(), Vec::new());
    let found = table(&page, &["lesson", "points of the talk"]);
    let found: Vec<Vec<String>> = found
        .iter()
        .flat_map(|row| row[1].split(" · ").map(|point| vec![row[0].clone(), point.to_owned()]))
        .collect();
    let expected: Vec<_> = talk.iter().map(|row| vec![row.lesson.clone(), row.point.clone()]).collect();
    compare("the talk's points in lesson 00", &expected, &found, &mut complaints);
    let found = table(&page, &["the talk's point", "what is right", "lesson"]);
    let wrong = talk.into_iter().filter(|row| !row.correction.is_empty());
    let expected: Vec<_> = wrong.map(|row| vec![row.point, row.correction, row.lesson]).collect();
    compare("the talk's errors in lesson 00", &expected, &found, &mut complaints);
    settle(complaints);
}

#[test]
fn lesson_00_has_the_notation_of_the_library() {
    let source = fs::read_to_string(root("src/method/mod.rs")).unwrap();
    let doc: Vec<&str> = source.lines().filter_map(|line| line.strip_prefix("//!")).collect();
    let expected = table(&doc.join("\n"), &["symbol", "meaning", "shape", "in the papers"]);
    let found = table(&first_lesson(), &["symbol", "in formulas", "meaning", "shape", "in the papers"]);
    assert!(expected.len() > 10, "expected the table of symbols in src/method/mod.rs, found {expected:?}");
    let mut complaints = Vec::new();
    for row in found.iter().filter(|row| row.len() != 5 || row[1].is_empty()) {
        complaints
            .push(format!("the notation in lesson 00: expected five cells and a formula, found {row:?}"));
    }
    let without_formula = |mut row: Vec<String>| {
        row.remove(1);
        row
    };
    let found: Vec<Vec<String>> =
        found.into_iter().filter(|row| row.len() > 1).map(without_formula).collect();
    compare("the notation in lesson 00", &expected, &found, &mut complaints);
    settle(complaints);
}

#[test]
fn what_had_two_names_has_one() {
    let mut complaints = Vec::new();
    for lesson in lessons() {
        for cell in lesson.markdown() {
            for (found, expected) in OLD_SYMBOLS.iter().filter(|(old, _)| cell.text.contains(old)) {
                let (name, number) = (&lesson.name, cell.number);
                complaints.push(format!(
                    "{name}, cell {number}: expected {expected}, found `{found}`; lesson 00 has the notation"
                ));
            }
        }
    }
    settle(complaints);
}

/// The cells of Rust under the heading `## Checks`.
fn checks(lesson: &Lesson) -> Vec<&Cell> {
    let heading = |cell: &Cell| !cell.is_code && cell.text.lines().any(|line| line.starts_with("## "));
    let is_it = |cell: &&Cell| !cell.is_code && cell.text.lines().any(|line| line == "## Checks");
    let below = lesson.cells.iter().skip_while(|cell| !is_it(cell)).skip(1);
    below.take_while(|cell| !heading(cell)).filter(|cell| cell.is_code).collect()
}

/// The place behind the comment, the string or the letter in quotes that begins at `at`; the next place if none does.
fn behind(source: &[u8], at: usize) -> usize {
    let rest = &source[at..];
    let ends = |from: usize, end: u8| {
        let mut place = from;
        while place < rest.len() && rest[place] != end {
            place += if rest[place] == b'\\' { 2 } else { 1 };
        }
        at + (place + 1).min(rest.len())
    };
    match rest {
        [b'/', b'/', ..] => at + rest.iter().position(|&byte| byte == b'\n').unwrap_or(rest.len()),
        [b'"', ..] => ends(1, b'"'),
        // A lifetime has no quote behind it.
        [b'\'', b'\\', ..] | [b'\'', _, b'\'', ..] => ends(1, b'\''),
        _ => at + 1,
    }
}

/// The arguments of the call whose bracket has just been opened before `at`.
fn arguments(source: &str, at: usize) -> Vec<&str> {
    let (bytes, mut depth, mut found, mut start, mut place) = (source.as_bytes(), 0, Vec::new(), at, at);
    while place < bytes.len() {
        match bytes[place] {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' if depth == 0 => break,
            b')' | b']' | b'}' => depth -= 1,
            b',' if depth == 0 => {
                found.push(source[start..place].trim());
                start = place + 1;
            }
            _ => {}
        }
        place = behind(bytes, place);
    }
    found.push(source[start..place].trim());
    found
}

/// Every assertion of a cell: its message, or its text if it has none.
fn assertions(source: &str) -> Vec<std::result::Result<&str, &str>> {
    let (mut found, mut place) = (Vec::new(), 0);
    while place < source.len() {
        let call =
            ASSERTIONS.iter().find(|(name, _)| source.as_bytes()[place..].starts_with(name.as_bytes()));
        if let Some((name, before)) = call {
            let arguments = arguments(source, place + name.len());
            let message =
                arguments.iter().skip(*before).find_map(|one| one.strip_prefix('"')?.strip_suffix('"'));
            found.push(message.ok_or(arguments[0]));
            place += name.len();
        } else {
            place = behind(source.as_bytes(), place);
        }
    }
    found
}

/// Whether a break that expects these words means this message, in which `{…}` stands for anything.
fn names(fails: &str, message: &str) -> bool {
    let pieces = message.split('{').enumerate();
    let pieces = pieces.map(
        |(index, piece)| if index == 0 { piece } else { piece.split_once('}').map_or("", |both| both.1) },
    );
    let longest = pieces.map(str::trim).max_by_key(|piece| piece.len()).unwrap_or_default();
    !fails.is_empty() && !longest.is_empty() && (longest.contains(fails) || fails.contains(longest))
}

#[test]
fn every_check_can_fail() {
    let mut complaints = Vec::new();
    for lesson in lessons() {
        let cells = checks(&lesson);
        if cells.iter().all(|cell| assertions(&cell.text).is_empty()) {
            complaints.push(format!("{}: expected assertions under “## Checks”, found none", lesson.name));
        }
        for cell in cells {
            let place = format!("{}, cell {}", lesson.name, cell.number);
            let breaks = cell.metadata["breaks"].as_array().cloned().unwrap_or_default();
            let breaks: Vec<[String; 2]> =
                breaks.iter().map(|one| [&one["with"], &one["fails"]].map(text)).collect();
            let found = assertions(&cell.text);
            for assertion in &found {
                match assertion {
                    Err(what) => complaints.push(format!("{place}: expected a message of the assertion `{what}`, found none")),
                    Ok(message) if !breaks.iter().any(|[_, fails]| names(fails, message)) => complaints
                        .push(format!("{place}: expected a break in the metadata after which “{message}” fails, found none")),
                    Ok(_) => {}
                }
            }
            for [with, fails] in &breaks {
                if with.trim().is_empty() || !found.iter().flatten().any(|message| names(fails, message)) {
                    complaints.push(format!("{place}: expected a break with Rust and the message of an assertion, found “{with}”, “{fails}”"));
                }
            }
        }
    }
    settle(complaints);
}

/// The numbers with which lines of a list begin.
fn numbers(markdown: &str) -> Vec<usize> {
    markdown.lines().filter_map(|line| line.split_once(". ")?.0.parse().ok()).collect()
}

#[test]
fn every_question_has_an_answer() {
    let mut complaints = Vec::new();
    for lesson in lessons() {
        let mut complain = |what: String| complaints.push(format!("{}: {what}", lesson.name));
        let texts: BTreeMap<usize, &str> =
            lesson.markdown().map(|cell| (cell.number, cell.text.as_str())).collect();
        let asked = texts.iter().find(|(_, text)| text.lines().any(|line| line == "## Questions"));
        let answered = texts.iter().find(|(_, text)| text.contains(ANSWERS));
        let Some((place, asked)) = asked else {
            complain("expected a cell with the heading “## Questions”, found none".into());
            continue;
        };
        let questions = numbers(asked);
        if questions.is_empty() || questions.iter().enumerate().any(|(index, number)| *number != index + 1) {
            complain(format!("expected questions numbered from 1, found {questions:?}"));
        }
        match answered {
            None => complain(format!(
                "expected {} answers in a cell with `{ANSWERS}`, found none",
                questions.len()
            )),
            Some((other, _)) if other < place => {
                complain("expected the answers behind the questions, found them before".into())
            }
            Some((_, answers)) if numbers(answers) != questions => {
                complain(format!("expected answers numbered {questions:?}, found {:?}", numbers(answers)));
            }
            Some(_) => {}
        }
        let solved = |cell: &Cell| {
            cell.text.contains("<summary>Solution</summary>")
                || cell.metadata["tags"].to_string().contains("solution")
        };
        if asked.contains("**Exercise.**") && !lesson.cells.iter().any(solved) {
            complain("expected a solution of the exercise, as a cell with the tag `solution` or `<summary>Solution</summary>`, found none".into());
        }
    }
    settle(complaints);
}

#[test]
fn assertions_and_their_messages_are_found() {
    let source = "assert_eq!((a, b), (1, 2), \"a pair, {a:?}\"); // assert!(no)\nassert!(f(',') < g(\"a, b\"));\nassert!(x, \"of {x}\");";
    assert_eq!(assertions(source), [Ok("a pair, {a:?}"), Err("f(',') < g(\"a, b\")"), Ok("of {x}")]);
    assert!(names("hda: the same within a point", "{method}: the same within a point"));
    assert!(
        names("the same", "the same within a point: {found:?}")
            && !names("the same", "another")
            && !names("", "of {x}")
    );
    assert_eq!(cells_of("a,\"b, \"\"c\"\"\",,d"), ["a", "b, \"c\"", "", "d"]);
}
