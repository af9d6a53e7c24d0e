"""The MQTT side: connection, session, and PUBLISH packets out of the byte stream."""
