// Package redisbroker is a broker.Broker, and broker.Streams, on Redis.
package redisbroker
