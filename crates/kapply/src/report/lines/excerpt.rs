//! Leaving out what stays the same.

use super::{Line, Mark};

/// A part of an excerpt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Piece<'lines> {
    /// A line.
    Line(&'lines Line),
    /// This many lines are left out.
    Gap(usize),
}

/// The lines that change, `context` lines around each, and those that say where
/// in the object they are.
pub(crate) fn excerpt(lines: &[Line], context: usize) -> Vec<Piece<'_>> {
    let mut kept = vec![false; lines.len()];
    let mut above: Vec<usize> = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        while above
            .last()
            .is_some_and(|last| lines[*last].depth >= line.depth)
        {
            above.pop();
        }
        if line.mark == Mark::Same {
            above.push(index);
            continue;
        }
        for above in &above {
            kept[*above] = true;
        }
        let end = index.saturating_add(context).min(lines.len() - 1);
        kept[index.saturating_sub(context)..=end].fill(true);
    }
    let mut pieces = Vec::new();
    let mut gap: &[Line] = &[];
    for (index, line) in lines.iter().enumerate() {
        if kept[index] {
            close(&mut pieces, gap);
            gap = &[];
            pieces.push(Piece::Line(line));
        } else {
            gap = &lines[index - gap.len()..=index];
        }
    }
    close(&mut pieces, gap);
    pieces
}

/// A gap of one line is no shorter than the line.
fn close<'lines>(pieces: &mut Vec<Piece<'lines>>, gap: &'lines [Line]) {
    match gap {
        [] => {}
        [line] => pieces.push(Piece::Line(line)),
        lines => pieces.push(Piece::Gap(lines.len())),
    }
}
