//! A broker, as clients meet it that speak its protocol by hand: over memory, tcp and unix sockets.

mod chaos;
mod greeting;
mod hostile;
mod limits;
mod order;
mod raw;
mod reload;
mod routing;
mod stopping;
mod trap;
