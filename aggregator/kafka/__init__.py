"""What the job asks of Kafka: does it answer, is the topic the same, how far behind is the job."""
