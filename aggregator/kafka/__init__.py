"""The job's ways into Kafka: is it there, whose topic is it, how far behind is the job?"""
