//! Decides which of several processes goes on: each call of theirs waits here, before it is sent, until it is its turn.
//!
//! A process whose call waits stands still. A call is let through only once nothing else moves any more: no process, and no
//! thread that is at Git for one. So what happens depends on nothing but the order in which calls are let through, and that order
//! is data.
use std::cell::Cell;
use std::collections::{BTreeMap, VecDeque};
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, ready};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// Paused time goes on by this only when all that can be done has been done, Git's threads included.
const MOMENT: Duration = Duration::from_millis(1);

/// A command under way.
pub type Command<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

#[derive(Debug, Default)]
struct Inner {
    /// Whether calls wait at all.
    closed: bool,
    waiting: BTreeMap<u32, VecDeque<oneshot::Sender<()>>>,
}

/// The gate of one world.
#[derive(Clone, Debug, Default)]
pub struct Gate(Arc<Mutex<Inner>>);

impl Gate {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The way of a process through this gate.
    #[must_use]
    pub fn before(&self, process: u32, client: SharedHttpClient) -> SharedHttpClient {
        SharedHttpClient::new(Gated { gate: self.clone(), process, client })
    }

    async fn pass(&self, process: u32) {
        let turn = {
            let inner = &mut *self.inner();
            if !inner.closed {
                return;
            }
            let (turn, wait) = oneshot::channel();
            inner.waiting.entry(process).or_default().push_back(turn);
            wait
        };
        // Nobody lets it through any more where the gate was opened meanwhile.
        let _opened = turn.await;
    }

    fn let_through(&self, process: u32) {
        let inner = &mut *self.inner();
        if let Some(turn) = inner.waiting.get_mut(&process).and_then(VecDeque::pop_front) {
            let _gave_up = turn.send(());
        }
    }

    /// The processes that have a call waiting. Calls that were given up are forgotten.
    fn waiting(&self) -> Vec<u32> {
        let inner = &mut *self.inner();
        for calls in inner.waiting.values_mut() {
            calls.retain(|turn| !turn.is_closed());
        }
        inner.waiting.iter().filter(|(_, calls)| !calls.is_empty()).map(|(process, _)| *process).collect()
    }

    fn close(&self, closed: bool) {
        let inner = &mut *self.inner();
        inner.closed = closed;
        if !closed {
            inner.waiting.clear();
        }
    }

    /// Runs a command until it has made so many calls and wants to make another; then lets it stand, its time going on, until
    /// `rest` is over, and then to its end: the one call that was about to be sent is sent then.
    pub async fn stall<T>(
        &self,
        process: u32,
        mut command: Command<'_, T>,
        calls: u32,
        rest: impl Future<Output = ()>,
    ) -> T {
        self.close(true);
        let mut left = calls;
        let ended = poll_fn(|context| {
            loop {
                if let Poll::Ready(value) = command.as_mut().poll(context) {
                    return Poll::Ready(Some(value));
                }
                if self.waiting().is_empty() {
                    return Poll::Pending;
                }
                if left == 0 {
                    return Poll::Ready(None);
                }
                left -= 1;
                self.let_through(process);
            }
        })
        .await;
        self.inner().closed = false;
        rest.await;
        self.close(false);
        match ended {
            Some(value) => value,
            None => command.await,
        }
    }

    /// Runs commands of several processes at the same time. Whenever none of them moves, `next` says whose call goes on.
    pub async fn conduct<T>(
        &self,
        commands: Vec<(u32, Command<'_, T>)>,
        mut next: impl FnMut(&[u32]) -> u32,
    ) -> Vec<(u32, T)> {
        self.close(true);
        let polls = Cell::new(0_u64);
        // Only those are polled that were woken, so that polls tell whether any of them moved.
        let mut commands: FuturesUnordered<_> = commands
            .into_iter()
            .map(|(process, mut command)| {
                let polls = &polls;
                poll_fn(move |context| {
                    polls.set(polls.get() + 1);
                    command.as_mut().poll(context).map(|value| (process, value))
                })
            })
            .collect();
        let mut done = Vec::new();
        let mut moment = Box::pin(tokio::time::sleep(MOMENT));
        let mut counted = None;
        poll_fn(|context| {
            loop {
                while let Poll::Ready(Some(end)) = commands.poll_next_unpin(context) {
                    done.push(end);
                }
                if commands.is_empty() {
                    return Poll::Ready(());
                }
                let waiting = self.waiting();
                if waiting.is_empty() {
                    return Poll::Pending;
                }
                if counted != Some(polls.get()) {
                    counted = Some(polls.get());
                    moment.as_mut().reset(Instant::now() + MOMENT);
                }
                ready!(moment.as_mut().poll(context));
                counted = None;
                self.let_through(next(&waiting));
            }
        })
        .await;
        self.close(false);
        done
    }
}

#[derive(Clone, Debug)]
struct Gated {
    gate: Gate,
    process: u32,
    client: SharedHttpClient,
}

impl HttpClient for Gated {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        let connector = self.client.http_connector(settings, components);
        SharedHttpConnector::new(GatedConnector { gate: self.gate.clone(), process: self.process, connector })
    }
}

#[derive(Clone, Debug)]
struct GatedConnector {
    gate: Gate,
    process: u32,
    connector: SharedHttpConnector,
}

impl HttpConnector for GatedConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let Self { gate, process, connector } = self.clone();
        HttpConnectorFuture::new(async move {
            gate.pass(process).await;
            connector.call(request).await
        })
    }
}
