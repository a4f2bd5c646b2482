package main

import (
	"bytes"

	"github.com/hibiken/asynq/x/metrics"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"
)

// scrape gives the page that asynq's exporter would serve, without the metrics of its own process.
func (p *peer) scrape() (any, error) {
	registry := prometheus.NewRegistry()
	if err := registry.Register(metrics.NewQueueMetricsCollector(p.inspector)); err != nil {
		return nil, err
	}
	families, err := registry.Gather()
	if err != nil {
		return nil, err
	}
	var page bytes.Buffer
	encoder := expfmt.NewEncoder(&page, expfmt.FmtText)
	for _, family := range families {
		if err := encoder.Encode(family); err != nil {
			return nil, err
		}
	}
	return page.String(), nil
}
