//! A body on its way through, as it is or worse.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use tokio::time::{Sleep, sleep};

use super::Cut;

pub(super) type Body = BoxBody<Bytes, Cut>;

/// Passes a body on.
pub(super) struct Shaped {
    inner: Incoming,
    /// How many bytes are left before the cut.
    left: Option<u64>,
    pause: Option<Duration>,
    waiting: Option<Pin<Box<Sleep>>>,
    flip: bool,
}

impl Shaped {
    pub(super) fn new(inner: Incoming) -> Self {
        Self {
            inner,
            left: None,
            pause: None,
            waiting: None,
            flip: false,
        }
    }

    pub(super) fn cut_after(self, bytes: u64) -> Self {
        Self {
            left: Some(bytes),
            ..self
        }
    }

    pub(super) fn pausing(self, pause: Duration) -> Self {
        Self {
            pause: Some(pause),
            ..self
        }
    }

    pub(super) fn with_a_wrong_byte(self) -> Self {
        Self { flip: true, ..self }
    }

    fn shape(&mut self, mut data: Bytes) -> Bytes {
        if let Some(left) = &mut self.left {
            data.truncate(usize::try_from(*left).unwrap_or(usize::MAX).min(data.len()));
            *left -= data.len() as u64;
        }
        if std::mem::take(&mut self.flip) && !data.is_empty() {
            let mut bytes = data.to_vec();
            bytes[0] ^= 0xff;
            data = bytes.into();
        }
        data
    }
}

impl HttpBody for Shaped {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        if self.left == Some(0) {
            return Poll::Ready(Some(Err(Cut)));
        }
        if let Some(pause) = self.pause {
            let waiting = self.waiting.get_or_insert_with(|| Box::pin(sleep(pause)));
            std::task::ready!(waiting.as_mut().poll(context));
            self.waiting = None;
        }
        let frame = std::task::ready!(Pin::new(&mut self.inner).poll_frame(context));
        Poll::Ready(frame.map(|frame| {
            let frame = frame.map_err(|_| Cut)?;
            Ok(frame.map_data(|data| self.shape(data)))
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_none() && self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
