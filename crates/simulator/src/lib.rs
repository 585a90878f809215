//! A faithful false UQPAY over HTTP, for tests and local development
