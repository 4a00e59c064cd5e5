"""The JSON of the API: what requests may say, and what answers hold."""
