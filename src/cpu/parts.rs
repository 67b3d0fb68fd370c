//! How work is cut for the threads: by the shapes alone, and never across two domains.

use std::ops::Range;

use rayon::prelude::*;

/// `0..whole` in `parts` parts whose lengths differ by at most one.
pub fn even_parts(whole: usize, parts: usize) -> impl Iterator<Item = Range<usize>> {
    (0..parts).map(move |part| whole * part / parts..whole * (part + 1) / parts)
}

/// Parts of what the pictures of each domain consist of, `per_picture` pieces each, with the number of their domain.
///
/// The pieces count through all pictures; `parts_of` says into how many parts so many pieces are cut.
pub fn parts_of_domains(
    domains: &[usize],
    per_picture: usize,
    parts_of: impl Fn(usize) -> usize,
) -> Vec<(usize, Range<usize>)> {
    let mut parts = Vec::new();
    let mut first = 0;
    for (domain, pictures) in domains.iter().enumerate() {
        let pieces = pictures * per_picture;
        for part in even_parts(pieces, parts_of(pieces)) {
            parts.push((domain, first + part.start..first + part.end));
        }
        first += pieces;
    }
    parts
}

/// Works on the piece of `whole` that belongs to each part, `length` elements of it, side by side; the results of each domain
/// in the order of its parts.
pub fn on_parts<T: Send, R: Send>(
    domains: &[usize],
    parts: Vec<(usize, Range<usize>)>,
    whole: &mut [T],
    length: impl Fn(&Range<usize>) -> usize,
    work: impl Fn(usize, Range<usize>, &mut [T]) -> R + Sync,
) -> Vec<Vec<R>> {
    let mut rest = whole;
    let mut pieces = Vec::with_capacity(parts.len());
    for (domain, part) in parts {
        let (piece, behind) = rest.split_at_mut(length(&part));
        pieces.push((domain, part, piece));
        rest = behind;
    }
    let worked = pieces.into_par_iter().with_max_len(1);
    let results: Vec<(usize, R)> =
        worked.map(|(domain, part, piece)| (domain, work(domain, part, piece))).collect();
    let mut sorted: Vec<Vec<R>> = domains.iter().map(|_| Vec::new()).collect();
    for (domain, result) in results {
        sorted[domain].push(result);
    }
    sorted
}
