//! Small pieces of SVG. Every text that comes from a cluster goes through [`escape`].

use std::fmt::Write as _;

/// A drawing under construction.
#[derive(Debug, Default)]
pub struct Drawing {
    body: String,
}

impl Drawing {
    /// A rectangle with a class and a tooltip; none is drawn when it has no area.
    pub fn rect(
        &mut self,
        class: &str,
        (x, y): (f64, f64),
        (width, height): (f64, f64),
        title: &str,
    ) {
        if width > 0.0 && height > 0.0 {
            self.add(&format!(
                r#"<rect class="{class}" x="{x:.1}" y="{y:.1}" width="{width:.2}" height="{height:.2}"><title>{}</title></rect>"#,
                escape(title)
            ));
        }
    }

    /// A line.
    pub fn line(&mut self, class: &str, (x1, y1): (f64, f64), (x2, y2): (f64, f64)) {
        self.add(&format!(
            r#"<line class="{class}" x1="{x1:.1}" y1="{y1:.1}" x2="{x2:.1}" y2="{y2:.1}"/>"#
        ));
    }

    /// A line through points.
    pub fn path(&mut self, class: &str, points: &[(f64, f64)]) {
        let points: Vec<_> = points
            .iter()
            .map(|(x, y)| format!("{x:.1},{y:.1}"))
            .collect();
        self.add(&format!(
            r#"<polyline class="{class}" points="{}"/>"#,
            points.join(" ")
        ));
    }

    /// A text; the class says how it is anchored.
    pub fn text(&mut self, class: &str, (x, y): (f64, f64), text: &str) {
        self.add(&format!(
            r#"<text class="{class}" x="{x:.1}" y="{y:.1}">{}</text>"#,
            escape(text)
        ));
    }

    /// The finished picture of that size, with a name for those who do not see it.
    #[must_use]
    pub fn finish(self, width: f64, height: f64, label: &str) -> String {
        format!(
            r#"<svg viewBox="0 0 {width:.0} {height:.0}" role="img" aria-label="{}">{}</svg>"#,
            escape(label),
            self.body
        )
    }

    fn add(&mut self, element: &str) {
        // Writing to a String cannot fail.
        let _ = write!(self.body, "{element}");
    }
}

/// Text made safe inside elements and quoted attributes.
#[must_use]
pub fn escape(text: &str) -> String {
    text.chars()
        .fold(String::with_capacity(text.len()), |mut safe, c| {
            match c {
                '&' => safe.push_str("&amp;"),
                '<' => safe.push_str("&lt;"),
                '>' => safe.push_str("&gt;"),
                '"' => safe.push_str("&quot;"),
                '\'' => safe.push_str("&#39;"),
                c => safe.push(c),
            }
            safe
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_cannot_become_elements() {
        let mut drawing = Drawing::default();
        drawing.text("t", (0.0, 0.0), "<script>alert('&')</script>");
        drawing.rect("r", (0.0, 0.0), (1.0, 1.0), "\"><b>");
        drawing.rect("empty", (0.0, 0.0), (0.0, 1.0), "none");
        let svg = drawing.finish(10.0, 10.0, "a\"b");
        assert!(
            !svg.contains("<script>") && !svg.contains("<b>") && !svg.contains("a\"b"),
            "{svg}"
        );
        assert!(!svg.contains("empty"));
    }
}
