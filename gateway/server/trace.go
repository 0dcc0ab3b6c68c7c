package server

import (
	"github.com/gin-gonic/gin"
	"go.opentelemetry.io/otel/propagation"
)

// callersTrace puts what the caller says of its trace into the context. The
// bridge links to it and decides nothing by it.
func callersTrace(c *gin.Context) {
	ctx := propagation.TraceContext{}.Extract(c.Request.Context(), propagation.HeaderCarrier(c.Request.Header))
	c.Request = c.Request.WithContext(ctx)
}
