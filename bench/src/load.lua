-- Has wrk print its figures as one line of JSON, the last one. Times are in microseconds.
function done(summary, latency, requests)
   local errors = summary.errors
   io.write(string.format(
      '{"requests":%d,"microseconds":%d,"p99":%d,"failed":%d}\n',
      summary.requests, summary.duration, latency:percentile(99),
      errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
