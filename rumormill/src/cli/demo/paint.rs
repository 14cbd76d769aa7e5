//! Lines in colour, of which no letter is counted that does not show.

/// What a piece of a line looks like where there are colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Paint {
    Plain,
    Dim,
    Bold,
    Good,
    Odd,
    Bad,
}

/// Whether there are colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Colours {
    None,
    Ansi,
}

/// A line of painted pieces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line(Vec<(Paint, String)>);

impl Line {
    pub(super) fn of(paint: Paint, text: impl ToString) -> Self {
        Self(vec![(paint, text.to_string())])
    }

    /// The line, and something behind it.
    pub(super) fn and(mut self, paint: Paint, text: impl ToString) -> Self {
        self.0.push((paint, text.to_string()));
        self
    }

    /// Its text, as far as `width` columns show it.
    pub(super) fn render(&self, width: usize, colours: Colours) -> String {
        let mut room = width;
        let mut text = String::new();
        for (paint, piece) in &self.0 {
            let shown: String = piece.chars().take(room).collect();
            room -= shown.chars().count();
            match (colours, paint.code()) {
                (Colours::Ansi, Some(code)) if !shown.is_empty() => {
                    text.push_str(&format!("\x1b[{code}m{shown}\x1b[0m"));
                }
                _ => text.push_str(&shown),
            }
        }
        text.truncate(text.trim_end().len());
        text
    }
}

impl Paint {
    /// What of "select graphic rendition" (ECMA-48) it is.
    fn code(self) -> Option<u8> {
        match self {
            Self::Plain => None,
            Self::Bold => Some(1),
            Self::Dim => Some(2),
            Self::Bad => Some(31),
            Self::Good => Some(32),
            Self::Odd => Some(33),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_take_no_room() {
        let line = Line::of(Paint::Good, "abc").and(Paint::Plain, "def").and(Paint::Bad, "ghi");
        assert_eq!(line.render(80, Colours::None), "abcdefghi");
        assert_eq!(line.render(4, Colours::None), "abcd");
        assert_eq!(line.render(4, Colours::Ansi), "\x1b[32mabc\x1b[0md");
        assert_eq!(Line::of(Paint::Plain, "a   ").render(80, Colours::Ansi), "a");
    }
}
